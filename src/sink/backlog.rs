//! Lines that the sink's descriptor has not taken yet.

use std::collections::VecDeque;
use std::io;

/// So many bytes are kept; beyond, lines are dropped.
const LIMIT: usize = 1024 * 1024;

/// Once lines were dropped, none is kept until so few bytes are left. Otherwise a reader that takes
/// one line at a time would get one report of losses for each.
const ROOM: usize = LIMIT / 2;

/// Bytes that go out whole or not at all.
struct Entry {
    bytes: Vec<u8>,
    /// How many dropped lines it reports, if it is no line of the script's.
    reports: Option<u64>,
}

#[derive(Default)]
pub(super) struct Backlog {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How much of the first entry is written.
    sent: usize,
    /// Dropped lines that no line in here reports.
    unreported: u64,
}

impl Backlog {
    pub(super) fn is_behind(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Keeps a line in two parts, if there is room. `now` gives date and time for a report.
    pub(super) fn append(
        &mut self,
        head: &[u8],
        line: &[u8],
        now: impl FnOnce() -> String,
    ) -> bool {
        self.report(now);
        let size = head.len() + line.len();
        // A line that is over the limit by itself goes when it stands alone.
        let fits = self.bytes + size <= LIMIT || self.entries.is_empty();
        if self.unreported > 0 || !fits {
            self.unreported += 1;
            return false;
        }
        self.keep(Entry { bytes: [head, line].concat(), reports: None });
        true
    }

    /// Says how many lines are missing here, if there is room to go on.
    fn report(&mut self, now: impl FnOnce() -> String) {
        if self.unreported == 0 || self.bytes > ROOM {
            return;
        }
        let count = self.unreported;
        let lines = if count == 1 { "line was" } else { "lines were" };
        let text = format!(
            "{}0000000000000000 W [silly] {count} {lines} dropped here: the log could not be written\n",
            now()
        );
        self.unreported = 0;
        self.keep(Entry { bytes: text.into_bytes(), reports: Some(count) });
    }

    fn keep(&mut self, entry: Entry) {
        self.bytes += entry.bytes.len();
        self.entries.push_back(entry);
    }

    /// What is partly written will go to another place: there it begins anew.
    pub(super) fn restart(&mut self) {
        self.sent = 0;
    }

    /// Writes entries until `write` takes no more. Returns how many lines are lost because it never
    /// will.
    pub(super) fn write_with(
        &mut self,
        now: impl Fn() -> String,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> u64 {
        loop {
            while let Some(first) = self.entries.front() {
                let rest = first.bytes.get(self.sent..).unwrap_or_default();
                match write(rest) {
                    Ok(count) if count < rest.len() => self.sent += count,
                    Ok(_) => self.forget_first(),
                    Err(error) if is_passing(&error) => return 0,
                    Err(_) => return self.give_up(),
                }
            }
            self.report(&now);
            if self.entries.is_empty() {
                return 0;
            }
        }
    }

    fn forget_first(&mut self) {
        self.sent = 0;
        if let Some(first) = self.entries.pop_front() {
            self.bytes -= first.bytes.len();
        }
    }

    /// Drops everything. The loss is reported by the next line that can be written, if ever.
    fn give_up(&mut self) -> u64 {
        let lost = self.entries.iter().filter(|entry| entry.reports.is_none()).count() as u64;
        let reported: u64 = self.entries.iter().filter_map(|entry| entry.reports).sum();
        self.entries.clear();
        self.bytes = 0;
        self.sent = 0;
        self.unreported += lost + reported;
        lost
    }
}

/// A reader that is slow, or a disk that is full, may take the same bytes later.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, QuotaExceeded, StorageFull, WouldBlock};
    matches!(error.kind(), Interrupted | QuotaExceeded | StorageFull | WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> String {
        "date time ".to_owned()
    }

    /// A descriptor that takes so many bytes and then no more.
    fn taking(mut room: usize, out: &mut Vec<u8>) -> impl FnMut(&[u8]) -> io::Result<usize> {
        move |bytes| {
            let count = bytes.len().min(room);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            room -= count;
            out.extend_from_slice(&bytes[..count]);
            Ok(count)
        }
    }

    #[test]
    fn what_was_not_taken_goes_first_and_continues_where_it_stopped() {
        let mut backlog = Backlog::default();
        let mut out = Vec::new();
        assert!(backlog.append(b"1 ", b"one\n", now));
        assert!(backlog.append(b"2 ", b"two\n", now));
        assert_eq!(backlog.write_with(now, taking(3, &mut out)), 0);
        assert!(backlog.is_behind());
        assert_eq!(backlog.write_with(now, taking(100, &mut out)), 0);
        assert!(!backlog.is_behind());
        assert_eq!(out, b"1 one\n2 two\n");
    }

    #[test]
    fn a_line_begun_elsewhere_begins_anew() {
        let mut backlog = Backlog::default();
        let (mut old, mut new) = (Vec::new(), Vec::new());
        backlog.append(b"", b"line\n", now);
        backlog.write_with(now, taking(2, &mut old));
        backlog.restart();
        backlog.write_with(now, taking(100, &mut new));
        assert_eq!((old.as_slice(), new.as_slice()), (&b"li"[..], &b"line\n"[..]));
    }

    #[test]
    fn beyond_the_limit_lines_are_dropped_until_half_of_it_is_free_and_then_reported() {
        let mut backlog = Backlog::default();
        let line = vec![b'x'; LIMIT / 4];
        let mut out = Vec::new();
        for _ in 0..4 {
            assert!(backlog.append(b"", &line, now));
        }
        assert!(!backlog.append(b"", b"dropped\n", now));
        backlog.write_with(now, taking(LIMIT / 4, &mut out));
        assert!(!backlog.append(b"", b"dropped too, though it would fit\n", now));
        backlog.write_with(now, taking(LIMIT / 4, &mut out));
        assert!(backlog.append(b"", b"kept\n", now));
        assert_eq!(backlog.write_with(now, taking(usize::MAX, &mut out)), 0);
        let text = String::from_utf8(out.split_off(LIMIT)).unwrap();
        assert!(text.starts_with("date time 0000000000000000 W [silly] 2 lines were dropped"));
        assert!(text.ends_with("\nkept\n"));
    }

    #[test]
    fn losses_are_reported_without_a_further_line() {
        let mut backlog = Backlog::default();
        let mut out = Vec::new();
        backlog.append(b"", &vec![b'x'; LIMIT + 1], now); // stands alone
        assert!(!backlog.append(b"", b"dropped\n", now));
        backlog.write_with(now, taking(usize::MAX, &mut out));
        assert!(
            String::from_utf8(out.split_off(LIMIT + 1)).unwrap().contains(" 1 line was dropped")
        );
    }

    #[test]
    fn a_broken_descriptor_loses_everything_and_the_next_good_one_hears_of_it() {
        let mut backlog = Backlog::default();
        let broken = |_: &[u8]| Err(io::ErrorKind::BrokenPipe.into());
        backlog.append(b"", b"one\n", now);
        assert_eq!(backlog.write_with(now, broken), 1);
        assert!(!backlog.is_behind()); // nothing that a loop would have to wake for
        backlog.append(b"", b"two\n", now);
        assert_eq!(backlog.write_with(now, broken), 1); // the report itself counts for nothing
        backlog.append(b"", b"three\n", now);
        let mut out = Vec::new();
        assert_eq!(backlog.write_with(now, taking(usize::MAX, &mut out)), 0);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(" 2 lines were dropped") && text.ends_with("\nthree\n"), "{text}");
    }

    #[test]
    fn a_full_disk_is_waited_for() {
        let mut backlog = Backlog::default();
        backlog.append(b"", b"one\n", now);
        assert_eq!(backlog.write_with(now, |_| Err(io::ErrorKind::StorageFull.into())), 0);
        assert!(backlog.is_behind());
    }
}
