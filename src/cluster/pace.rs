//! How much may be queued on a connection before it is written, instead of at the end of the turn.
//!
//! One write a turn costs the fewest system calls, but then the two ends work in turns: the other one
//! has nothing to do until this one is done. A batch that is written in a few parts keeps both at
//! work. How large the parts are depends on how large the batches are, which differs by a factor of
//! a thousand between a crowd's small calls and large bodies, so it follows what the last turn had.

/// A turn's batch is written in about so many parts.
const PARTS: u64 = 4;

/// Less than this is not worth a system call; more gains nothing over the call.
const LEAST: u64 = 1024;
const MOST: u64 = 64 * 1024;

/// The pace of one connection.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes queued in all by the end of the last turn that had any.
    total: u64,
    part: u64,
}

impl Pace {
    /// Before the first batch.
    pub(super) fn new() -> Pace {
        Pace { total: 0, part: LEAST }
    }

    /// So many queued bytes are to be written at once.
    pub(super) fn part(&self) -> usize {
        self.part as usize
    }

    /// A turn is over; `total` bytes have been queued so far.
    pub(super) fn turn_over(&mut self, total: u64) {
        let batch = total.saturating_sub(self.total);
        self.total = total;
        // By half at most: a turn may end with a small rest of its batch.
        self.part = (batch / PARTS).max(self.part / 2).clamp(LEAST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_the_batches_within_their_bounds() {
        let mut pace = Pace::new();
        assert_eq!(pace.part(), 1024);
        let course =
            [(50, 1024), (40_000, 10_000), (1_000_000, 65_536), (3_000, 32_768), (8_000, 16_384)];
        for (batch, part) in course {
            let total = pace.total + batch;
            pace.turn_over(total);
            assert_eq!(pace.part(), part);
        }
    }
}
