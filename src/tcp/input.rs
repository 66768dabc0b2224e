//! What has arrived on a stream and was not read yet, and what is wanted of it.

use bytes::{Buf, BytesMut};

/// So many unread bytes stop the reading unless a script asks otherwise: a peer that sends faster
/// than the script reads has to wait, and costs no more memory.
const LIMIT: usize = 1024 * 1024;

/// What a read asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// So many bytes.
    Exactly(usize),
    /// Everything up to this byte, and the byte.
    Through(u8),
}

/// One stream's.
#[derive(Debug)]
pub(super) struct Input {
    bytes: BytesMut,
    /// The delimiter that was looked for last, and how many bytes are known not to hold it: what
    /// was searched is not searched again.
    delimiter: u8,
    searched: usize,
    limit: usize,
    demand: Option<Want>,
}

impl Input {
    /// Nothing yet.
    pub(super) fn new() -> Input {
        Input { bytes: BytesMut::new(), delimiter: 0, searched: 0, limit: LIMIT, demand: None }
    }

    /// How many bytes are unread.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes in what has arrived.
    pub(super) fn append(&mut self, arrived: &[u8]) {
        self.bytes.extend_from_slice(arrived);
    }

    /// Sets how many unread bytes are enough; `None` for the usual number.
    pub(super) fn set_limit(&mut self, limit: Option<usize>) {
        self.limit = limit.unwrap_or(LIMIT);
    }

    /// Says what somebody waits for, if anybody does.
    pub(super) fn set_demand(&mut self, demand: Option<Want>) {
        self.demand = demand;
    }

    /// True when more should be read: there is room, or somebody waits for more than is there. The
    /// second comes before the limit, or a read beyond it would never end.
    pub(super) fn is_hungry(&mut self) -> bool {
        self.len() < self.limit || self.demand.is_some_and(|want| self.find(want).is_none())
    }

    /// How many bytes from the front are what is wanted, once they are there.
    pub(super) fn find(&mut self, want: Want) -> Option<usize> {
        match want {
            Want::Exactly(count) => (count <= self.len()).then_some(count),
            Want::Through(delimiter) => {
                if delimiter != self.delimiter {
                    (self.delimiter, self.searched) = (delimiter, 0);
                }
                let fresh = self.bytes.get(self.searched..).unwrap_or_default();
                match fresh.iter().position(|byte| *byte == delimiter) {
                    Some(place) => {
                        self.searched += place;
                        Some(self.searched + 1)
                    }
                    None => {
                        self.searched = self.len();
                        None
                    }
                }
            }
        }
    }

    /// Lends the bytes to whoever copies them out; [`take_back`](Self::take_back) must follow.
    pub(super) fn lend(&mut self) -> BytesMut {
        std::mem::take(&mut self.bytes)
    }

    /// Takes lent bytes back, less the `used` ones at their front. An empty buffer is given up, so
    /// that an idle stream holds none.
    pub(super) fn take_back(&mut self, mut bytes: BytesMut, used: usize) {
        self.searched = self.searched.saturating_sub(used);
        if used < bytes.len() {
            bytes.advance(used);
            self.bytes = bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holding(bytes: &[u8]) -> Input {
        let mut input = Input::new();
        input.append(bytes);
        input
    }

    fn read(input: &mut Input, want: Want) -> Option<Vec<u8>> {
        let count = input.find(want)?;
        let bytes = input.lend();
        let read = bytes[..count].to_vec();
        input.take_back(bytes, count);
        Some(read)
    }

    #[test]
    fn exact_counts_and_delimiters_take_from_the_front() {
        let mut input = holding(b"one\ntwo\nthree");
        assert_eq!(read(&mut input, Want::Through(b'\n')).unwrap(), b"one\n");
        assert_eq!(read(&mut input, Want::Exactly(2)).unwrap(), b"tw");
        assert_eq!(read(&mut input, Want::Through(b'\n')).unwrap(), b"o\n");
        assert_eq!(read(&mut input, Want::Through(b'\n')), None);
        assert_eq!(read(&mut input, Want::Exactly(6)), None);
        assert_eq!(read(&mut input, Want::Exactly(5)).unwrap(), b"three");
        assert_eq!(read(&mut input, Want::Exactly(0)).unwrap(), b"");
    }

    #[test]
    fn what_was_searched_is_not_searched_again() {
        let mut input = holding(&[b'x'; 1000]);
        assert_eq!(input.find(Want::Through(b'\n')), None);
        assert_eq!(input.searched, 1000);
        input.append(b"yy\n");
        assert_eq!(input.find(Want::Through(b'\n')), Some(1003));
        assert_eq!(input.searched, 1002);
        // What is read meanwhile is no longer counted, and another delimiter begins anew.
        assert_eq!(read(&mut input, Want::Exactly(1000)).unwrap().len(), 1000);
        assert_eq!(input.searched, 2);
        assert_eq!(input.find(Want::Through(b'y')), Some(1));
        assert_eq!(input.find(Want::Through(b'\n')), Some(3));
    }

    #[test]
    fn the_limit_ends_the_hunger_and_a_demand_overrides_it() {
        let mut input = Input::new();
        input.set_limit(Some(4));
        input.append(b"abc");
        assert!(input.is_hungry());
        input.append(b"d");
        assert!(!input.is_hungry());
        input.set_demand(Some(Want::Exactly(5)));
        assert!(input.is_hungry());
        input.set_demand(Some(Want::Exactly(4)));
        assert!(!input.is_hungry());
        input.set_demand(Some(Want::Through(b'\n')));
        assert!(input.is_hungry());
        input.append(b"\n");
        assert!(!input.is_hungry());
        input.set_demand(None);
        assert!(!input.is_hungry());
        input.set_limit(None);
        assert!(input.is_hungry());
        input.append(&vec![0; LIMIT]);
        assert!(!input.is_hungry());
    }

    #[test]
    fn a_huge_demand_reserves_nothing_and_an_empty_buffer_is_given_up() {
        let mut input = holding(b"abc");
        let before = input.bytes.capacity();
        assert_eq!(input.find(Want::Exactly(usize::MAX)), None);
        input.set_demand(Some(Want::Exactly(usize::MAX)));
        assert!(input.is_hungry());
        assert_eq!(input.bytes.capacity(), before);
        assert_eq!(read(&mut input, Want::Exactly(3)).unwrap(), b"abc");
        assert_eq!(input.bytes.capacity(), 0);
    }

    proptest! {
        #[test]
        fn reading_is_what_reading_from_one_string_is(
            pieces in prop::collection::vec(prop::collection::vec(0..4u8, 0..20), 1..10),
            wants in prop::collection::vec((any::<bool>(), 0..8u8), 1..40),
        ) {
            let mut whole: Vec<u8> = Vec::new();
            let mut input = Input::new();
            let mut pieces = pieces.into_iter();
            for (exact, number) in wants {
                let want = match exact {
                    true => Want::Exactly(number.into()),
                    false => Want::Through(number),
                };
                let count = match want {
                    Want::Exactly(count) => Some(count).filter(|count| *count <= whole.len()),
                    Want::Through(delimiter) => {
                        whole.iter().position(|byte| *byte == delimiter).map(|place| place + 1)
                    }
                };
                let expected: Option<Vec<u8>> = count.map(|count| whole.drain(..count).collect());
                prop_assert_eq!(read(&mut input, want), expected);
                prop_assert_eq!(input.len(), whole.len());
                if let Some(piece) = pieces.next() {
                    whole.extend_from_slice(&piece);
                    input.append(&piece);
                }
            }
        }
    }
}
