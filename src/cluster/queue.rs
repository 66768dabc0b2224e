//! Requests that wait for the same thing, oldest first.

use std::collections::VecDeque;

use crate::registry::Id;

/// Some of them may be over already.
#[derive(Debug, Default)]
pub(super) struct Queue {
    requests: VecDeque<Id>,
    /// How many of them are over.
    over: usize,
}

impl Queue {
    /// Lets a request wait its turn.
    pub(super) fn push(&mut self, request: Id) {
        self.requests.push_back(request);
    }

    /// The request whose turn it is; it may be over.
    pub(super) fn first(&self) -> Option<Id> {
        self.requests.front().copied()
    }

    /// Takes the first one, which may be over, out.
    pub(super) fn pop(&mut self, is_over: bool) {
        self.requests.pop_front();
        if is_over {
            self.over = self.over.saturating_sub(1);
        }
    }

    /// Takes all out.
    pub(super) fn take(&mut self) -> VecDeque<Id> {
        std::mem::take(self).requests
    }

    /// Notes that a request in here is over. It is not searched for: the queue is swept when half
    /// of it is over, so that any number of timeouts costs a constant each.
    pub(super) fn one_is_over(&mut self, is_over: impl Fn(Id) -> bool) {
        self.over += 1;
        if self.over * 2 > self.requests.len() {
            self.requests.retain(|request| !is_over(*request));
            self.over = 0;
        }
    }

    /// True when nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}
