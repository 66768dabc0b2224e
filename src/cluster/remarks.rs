//! Lines of the log about those who are turned away: a storm of connections must be none of lines.

/// How long a look at the number of lines holds, in milliseconds.
const PERIOD: u64 = 1_000;

/// `MOST` lines in each period; the others are only counted.
#[derive(Debug, Default)]
pub(super) struct Remarks<const MOST: u32> {
    /// How many are left in this one, and when it ends.
    left: u32,
    until: u64,
    /// How many were not said.
    unsaid: u64,
}

impl<const MOST: u32> Remarks<MOST> {
    /// The line about one who was turned away, if there is to be one; with the number of those before of
    /// whom there was none.
    pub(super) fn line(&mut self, now: u64, text: impl FnOnce() -> String) -> Option<String> {
        if now >= self.until {
            self.until = now + PERIOD;
            self.left = MOST;
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.unsaid += 1;
            return None;
        };
        self.left = left;
        Some(match std::mem::take(&mut self.unsaid) {
            0 => text(),
            count => format!("{} ({count} more were refused since the last such line)", text()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_so_often_a_second_and_then_with_the_number_of_the_others() {
        let mut remarks = Remarks::<2>::default();
        let mut line = |now| remarks.line(now, || "no".to_owned());
        assert_eq!(line(50).as_deref(), Some("no"));
        assert_eq!(line(50).as_deref(), Some("no"));
        for now in [51, 1_049] {
            assert_eq!(line(now), None);
        }
        let later = "no (2 more were refused since the last such line)";
        assert_eq!(line(1_050).as_deref(), Some(later));
        assert_eq!(line(1_051).as_deref(), Some("no"));
        assert_eq!(line(1_052), None);
    }
}
