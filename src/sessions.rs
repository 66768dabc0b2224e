//! The calls that wait for an answer.
//!
//! A session number names a call on the wire; this table knows which connection the call went out
//! on and what waits for its answer. It stands apart from the connections because numbers are
//! shared by all of them, and because what is easy to get wrong here (the wrap of the numbers, an
//! answer from the wrong peer, a connection that dies under thousands of calls) can then be tested
//! without a socket. Deadlines are not its business: a call that times out is cancelled by number.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::mem;

use rustc_hash::{FxBuildHasher, FxHashMap};
use slab::Slab;

/// The largest session number; the bit above it marks a response on the wire.
const LAST: u32 = 0x7fff_ffff;

/// No call: past every index of the slab, so that looking it up finds nothing.
const NIL: u32 = u32::MAX;

/// The pending calls of a node, each with a value of type `T` to find its caller by.
///
/// Numbers run from 0 to 0x7fffffff and start over, leaving out those still in use.
#[derive(Debug)]
pub struct Sessions<T> {
    /// The number to try first.
    next: u32,
    /// Where in `calls` a session is.
    by_session: HashMap<u32, u32, BuildHasherDefault<InRows>>,
    calls: Slab<Call<T>>,
    /// The calls of each connection that has any, so that losing one connection does not cost a
    /// walk over the calls of all others.
    chains: FxHashMap<u64, Chain>,
}

/// Hashes numbers that are given out in a row: so many in a row stay neighbours, and share a few lines of
/// the cache however many calls of before still wait; each by itself would miss it twice. But only so
/// many, since those of before stand in rows of their own, which are to be passed in a step or two. Nobody
/// else chooses the numbers, so nobody can make them collide.
#[derive(Debug, Default)]
struct InRows(u64);

const ROW_BITS: u32 = 5;

impl Hasher for InRows {
    fn write_u32(&mut self, number: u32) {
        let place = u64::from(number) & ((1 << ROW_BITS) - 1);
        let row = FxBuildHasher.hash_one(number >> ROW_BITS) << ROW_BITS;
        // The highest bits tell neighbours apart, the low ones choose where to look.
        self.0 = (row | place) ^ place << (u64::BITS - ROW_BITS);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = FxBuildHasher.hash_one(bytes); // no number of ours
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A pending call, linked to the ones opened before and after it on its connection.
#[derive(Debug)]
struct Call<T> {
    connection: u64,
    session: u32,
    prev: u32,
    next: u32,
    value: T,
}

/// The calls of one connection, oldest first. Never empty.
#[derive(Debug)]
struct Chain {
    head: u32,
    tail: u32,
    count: usize,
}

impl<T: Copy> Default for Sessions<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy> Sessions<T> {
    /// An empty table whose first number is 0.
    pub fn new() -> Self {
        Self {
            next: 0,
            by_session: HashMap::default(),
            calls: Slab::new(),
            chains: FxHashMap::default(),
        }
    }

    /// Goes on at the number `next`, of which the low 31 bits count, as if those before it had been
    /// used: for tests, as the wrap is two thousand million messages away.
    pub fn skip_to(&mut self, next: u32) {
        self.next = next & LAST;
    }

    /// Enters a call about to go out on `connection`, and returns its number.
    pub fn open(&mut self, connection: u64, value: T) -> u32 {
        // Fits: no two calls share one of the 2^31 numbers, so there are never more calls.
        let index = self.calls.vacant_key() as u32;
        let session = loop {
            let session = self.advance();
            if let Entry::Vacant(free) = self.by_session.entry(session) {
                free.insert(index);
                break session;
            }
        };
        let prev = match self.chains.entry(connection) {
            Entry::Occupied(mut chain) => {
                let chain = chain.get_mut();
                chain.count += 1;
                mem::replace(&mut chain.tail, index)
            }
            Entry::Vacant(free) => {
                free.insert(Chain { head: index, tail: index, count: 1 });
                NIL
            }
        };
        if let Some(prev) = self.calls.get_mut(prev as usize) {
            prev.next = index;
        }
        self.calls.insert(Call { connection, session, prev, next: NIL, value });
        session
    }

    /// Returns a number for a request nobody waits on. No call in flight has it, but a later one
    /// may be given it again.
    pub fn skip(&mut self) -> u32 {
        loop {
            let session = self.advance();
            if !self.by_session.contains_key(&session) {
                return session;
            }
        }
    }

    /// Takes out the call that an answer arriving on `connection` belongs to.
    ///
    /// `None` when nobody waits for `session`, and also when it was asked on another connection:
    /// a peer answers only what it was asked, so that call goes on waiting.
    pub fn complete(&mut self, connection: u64, session: u32) -> Option<T> {
        let index = *self.by_session.get(&session)?;
        if self.calls.get(index as usize)?.connection != connection {
            return None;
        }
        self.by_session.remove(&session);
        self.unlink(index)
    }

    /// Takes out a call whose caller has given up. An answer that still comes finds nobody.
    pub fn cancel(&mut self, session: u32) -> Option<T> {
        let index = self.by_session.remove(&session)?;
        self.unlink(index)
    }

    /// Takes out all calls of a lost connection and hands their values to `f`, oldest first.
    pub fn abandon(&mut self, connection: u64, mut f: impl FnMut(T)) {
        let Some(chain) = self.chains.remove(&connection) else {
            return;
        };
        let mut at = chain.head;
        while let Some(call) = self.calls.try_remove(at as usize) {
            self.by_session.remove(&call.session);
            at = call.next;
            f(call.value);
        }
    }

    /// How many calls wait, over all connections.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Returns true if and only if no call waits.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// How many calls wait on `connection`.
    pub fn count(&self, connection: u64) -> usize {
        self.chains.get(&connection).map_or(0, |chain| chain.count)
    }

    /// The next number, in use or not.
    fn advance(&mut self) -> u32 {
        let session = self.next;
        self.next = (session + 1) & LAST;
        session
    }

    /// Takes a call out of the slab and out of its connection's chain.
    fn unlink(&mut self, index: u32) -> Option<T> {
        let call = self.calls.try_remove(index as usize)?;
        if call.prev == NIL && call.next == NIL {
            self.chains.remove(&call.connection);
            return Some(call.value);
        }
        if let Some(prev) = self.calls.get_mut(call.prev as usize) {
            prev.next = call.next;
        }
        if let Some(next) = self.calls.get_mut(call.next as usize) {
            next.prev = call.prev;
        }
        if let Some(chain) = self.chains.get_mut(&call.connection) {
            chain.count -= 1;
            if call.prev == NIL {
                chain.head = call.next;
            }
            if call.next == NIL {
                chain.tail = call.prev;
            }
        }
        Some(call.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn abandoned(sessions: &mut Sessions<u32>, connection: u64) -> Vec<u32> {
        let mut values = Vec::new();
        sessions.abandon(connection, |value| values.push(value));
        values
    }

    #[test]
    fn numbers_start_at_zero_and_are_shared_by_the_connections() {
        let mut sessions = Sessions::new();
        assert_eq!([sessions.open(1, 'a'), sessions.open(2, 'b'), sessions.skip()], [0, 1, 2]);
        assert_eq!(sessions.open(1, 'c'), 3);
        assert_eq!((sessions.len(), sessions.count(1), sessions.count(2)), (3, 2, 1));
        assert_eq!(sessions.complete(1, 3), Some('c'));
        assert_eq!(sessions.complete(1, 3), None);
        assert_eq!(sessions.complete(1, 2), None);
    }

    #[test]
    fn the_wrap_leaves_out_numbers_in_flight() {
        let mut sessions = Sessions::new();
        let old = [sessions.open(1, 10), sessions.open(1, 11), sessions.open(1, 12)];
        assert_eq!(old, [0, 1, 2]);
        assert_eq!(sessions.cancel(1), Some(11));
        sessions.skip_to(0x7fff_fffe);
        assert_eq!(sessions.open(1, 13), 0x7fff_fffe);
        assert_eq!(sessions.skip(), 0x7fff_ffff);
        assert_eq!(sessions.open(1, 14), 1);
        assert_eq!(sessions.skip(), 3);
        sessions.skip_to(0x7fff_fffe);
        assert_eq!(sessions.skip(), 0x7fff_ffff);
        assert_eq!(sessions.skip(), 3);
        assert_eq!(abandoned(&mut sessions, 1), [10, 12, 13, 14]);
    }

    #[test]
    fn skip_to_keeps_31_bits() {
        let mut sessions = Sessions::new();
        sessions.skip_to(u32::MAX);
        assert_eq!([sessions.open(1, ()), sessions.open(1, ())], [0x7fff_ffff, 0]);
    }

    #[test]
    fn an_answer_from_another_connection_leaves_the_call_waiting() {
        let mut sessions = Sessions::new();
        let session = sessions.open(1, 'a');
        assert_eq!(sessions.complete(2, session), None);
        assert_eq!((sessions.len(), sessions.count(1), sessions.count(2)), (1, 1, 0));
        assert_eq!(sessions.complete(1, session), Some('a'));
        assert!(sessions.is_empty());
    }

    #[test]
    fn abandoning_takes_one_connection_in_the_order_of_opening() {
        let mut sessions = Sessions::new();
        for value in 0..10 {
            sessions.open(u64::from(value % 2), value);
        }
        sessions.cancel(0);
        sessions.cancel(4);
        // Reuses the places of the two above, out of order.
        sessions.open(0, 10);
        sessions.open(0, 11);
        assert_eq!(abandoned(&mut sessions, 0), [2, 6, 8, 10, 11]);
        assert_eq!(abandoned(&mut sessions, 0), []);
        assert_eq!((sessions.len(), sessions.count(0)), (5, 0));
        assert_eq!(abandoned(&mut sessions, 1), [1, 3, 5, 7, 9]);
        assert!(sessions.chains.is_empty() && sessions.by_session.is_empty());
    }

    #[derive(Clone, Debug)]
    enum Op {
        Open(u64),
        Skip,
        Complete(u64, u32),
        Cancel(u32),
        Abandon(u64),
        Jump(u32),
    }

    /// Numbers around the wrap, few enough to meet again and again.
    fn number() -> impl Strategy<Value = u32> {
        (0..40u32).prop_map(|n| n.wrapping_sub(20) & LAST)
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            6 => (0..3u64).prop_map(Op::Open),
            1 => Just(Op::Skip),
            4 => (0..3u64, number()).prop_map(|(connection, n)| Op::Complete(connection, n)),
            2 => number().prop_map(Op::Cancel),
            1 => (0..4u64).prop_map(Op::Abandon),
            1 => number().prop_map(Op::Jump),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_plain_list(ops in proptest::collection::vec(op(), 0..200)) {
            let mut sessions = Sessions::new();
            sessions.skip_to(LAST - 10);
            let mut next = LAST - 10;
            // Connection, session and value of each call, oldest first.
            let mut model: Vec<(u64, u32, u32)> = Vec::new();
            for (value, op) in (0u32..).zip(ops) {
                let mut number = || loop {
                    let n = next;
                    next = if n == LAST { 0 } else { n + 1 };
                    if model.iter().all(|call| call.1 != n) {
                        return n;
                    }
                };
                match op {
                    Op::Open(connection) => {
                        let n = number();
                        model.push((connection, n, value));
                        prop_assert_eq!(sessions.open(connection, value), n);
                    }
                    Op::Skip => prop_assert_eq!(sessions.skip(), number()),
                    Op::Complete(connection, n) => {
                        let at = model.iter().position(|call| (call.0, call.1) == (connection, n));
                        let wanted = at.map(|at| model.remove(at).2);
                        prop_assert_eq!(sessions.complete(connection, n), wanted);
                    }
                    Op::Cancel(n) => {
                        let at = model.iter().position(|call| call.1 == n);
                        let wanted = at.map(|at| model.remove(at).2);
                        prop_assert_eq!(sessions.cancel(n), wanted);
                    }
                    Op::Abandon(connection) => {
                        let (lost, kept): (Vec<_>, Vec<_>) =
                            model.into_iter().partition(|call| call.0 == connection);
                        model = kept;
                        let wanted: Vec<u32> = lost.iter().map(|call| call.2).collect();
                        prop_assert_eq!(abandoned(&mut sessions, connection), wanted);
                    }
                    Op::Jump(n) => {
                        next = n;
                        sessions.skip_to(n);
                    }
                }
                prop_assert_eq!(sessions.len(), model.len());
                prop_assert_eq!(sessions.by_session.len(), model.len());
                for connection in 0..4 {
                    let wanted = model.iter().filter(|call| call.0 == connection).count();
                    prop_assert_eq!(sessions.count(connection), wanted);
                }
            }
        }
    }
}
