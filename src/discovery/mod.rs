//! Nodes that find each other through etcd: registrations that are kept alive, and services that are
//! watched.
//!
//! Each of them is a job, which lasts until it is ended, and a reader of its news, which is a source as a
//! socket is one. The crate's connection is a task of the runtime's, too.

mod desk;
mod line;
mod member;
pub mod nodes;
mod view;

use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::sync::mpsc::Receiver;
use tokio::task::AbortHandle;

use crate::reactor::event::{Event, Severity};
use crate::reactor::inbox::{Key, Source};
use crate::reactor::{Reactor, Refusal};
use crate::reason::Reason;
use crate::registry::{Id, Registry};

use desk::{Desk, News};
use member::Entry;
use nodes::{Change, Nodes};

pub use line::Line;

/// What an event is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// What a task has waited for has come to this. Of a registration: the seconds that were granted.
    Over(Result<u32, Reason>),
    /// A node has come, gone or moved.
    Change(Change),
}

/// What a thing is, and how far it has come.
enum State {
    Joining(Arc<AtomicI64>),
    Joined(Arc<AtomicI64>),
    Leaving,
    View(Nodes),
}

/// A registration or a watched service.
struct Thing {
    line: Arc<Line>,
    job: AbortHandle,
    news: Receiver<News>,
    source: Arc<Source>,
    /// What was read of it and not handed over yet; there is an event for each.
    told: VecDeque<Told>,
    /// Whether somebody may wait for its job.
    awaited: bool,
    state: State,
}

/// All of it that one Lua state has.
#[derive(Default)]
pub struct Discovery {
    lines: Registry<Arc<Line>>,
    things: Registry<Thing>,
    delivered: Option<Told>,
}

impl Discovery {
    /// Keeps a way to etcd.
    pub fn open(&mut self, line: Line) -> Id {
        self.lines.insert(Arc::new(line))
    }

    /// Forgets a way to etcd. What was begun on it goes on.
    pub fn close(&mut self, line: Id) {
        self.lines.remove(line);
    }

    /// Begins to register: the key and the address that is to stand there, and the seconds after which it
    /// may be gone without us. `None`: the line was closed.
    pub fn join(
        &mut self,
        reactor: &mut Reactor,
        line: Id,
        key: String,
        addr: String,
        ttl: u32,
    ) -> Result<Option<Id>, Refusal> {
        let lease = Arc::default();
        let entry = Entry { key, addr, ttl, lease: Arc::clone(&lease) };
        self.begin(reactor, line, State::Joining(lease), |line, desk| {
            member::stay(line, entry, desk)
        })
    }

    /// Begins to follow the nodes below a prefix.
    pub fn watch(
        &mut self,
        reactor: &mut Reactor,
        line: Id,
        prefix: String,
    ) -> Result<Option<Id>, Refusal> {
        let state = State::View(Nodes::default());
        self.begin(reactor, line, state, |line, desk| view::follow(line, prefix, desk))
    }

    fn begin<F>(
        &mut self,
        reactor: &mut Reactor,
        line: Id,
        state: State,
        work: impl FnOnce(Arc<Line>, Desk) -> F,
    ) -> Result<Option<Id>, Refusal>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(line) = self.lines.get(line).cloned() else { return Ok(None) };
        let (desk, news) = Desk::new();
        let job = reactor.spawn(work(Arc::clone(&line), desk), true)?;
        Ok(Some(self.things.insert_with(|id| {
            let source = reactor.source(Key::Discovery(id.slot()));
            Thing { line, job, news, source, told: VecDeque::new(), awaited: true, state }
        })))
    }

    /// Begins to give a registration back, unless that has begun already: whether its end is to be waited
    /// for.
    pub fn leave(&mut self, reactor: &mut Reactor, member: Id) -> Result<bool, Refusal> {
        let Some(thing) = self.things.get_mut(member) else { return Ok(false) };
        let State::Joined(lease) = &thing.state else { return Ok(false) };
        let (desk, news) = Desk::new();
        let line = Arc::clone(&thing.line);
        // First, so that the last lease is the last one.
        thing.job.abort();
        let work = member::leave(line, lease.load(Ordering::Acquire), desk);
        thing.job = reactor.spawn(work, true)?;
        thing.news = news;
        (thing.awaited, thing.state) = (true, State::Leaving);
        // A new reader has to be looked at once before it can say anything.
        thing.source.note();
        Ok(true)
    }

    /// Ends a view, or a registration that is none yet.
    pub fn end(&mut self, thing: Id) {
        if let Some(thing) = self.things.remove(thing) {
            thing.job.abort();
        }
    }

    /// Nobody waits for the thing in a slot any more. What is being left is left all the same.
    pub fn withdraw(&mut self, slot: u32) {
        if let Some(id) = self.things.at(slot)
            && !matches!(self.things.get(id), Some(Thing { state: State::Leaving, .. }))
        {
            self.end(id);
        }
    }

    /// The nodes that a view knows, of which Lua was told.
    pub fn nodes(&self, view: Id) -> Option<&Nodes> {
        match &self.things.get(view)?.state {
            State::View(nodes) => Some(nodes),
            _ => None,
        }
    }

    /// A job has left word.
    pub fn ready(&mut self, reactor: &mut Reactor, slot: u32) {
        let Some(id) = self.things.at(slot) else { return };
        let Some(thing) = self.things.get_mut(id) else { return };
        thing.source.heed();
        let waker = Waker::from(Arc::clone(&thing.source));
        let mut cx = Context::from_waker(&waker);
        loop {
            let told = match thing.news.poll_recv(&mut cx) {
                Poll::Pending => return,
                Poll::Ready(Some(News::Note(text))) => {
                    reactor.log(Severity::Warning, text);
                    continue;
                }
                Poll::Ready(Some(News::Change(change))) => Told::Change(change),
                Poll::Ready(Some(News::Over(outcome))) => Told::Over(outcome),
                // The job has ended without a word to whoever waits for it.
                Poll::Ready(None) if thing.awaited => Told::Over(Err(Reason::Closed)),
                Poll::Ready(None) => return,
            };
            thing.awaited &= !matches!(told, Told::Over(_));
            thing.told.push_back(told);
            reactor.push(Event::Discovered { thing: id });
        }
    }

    /// An event is handed over: what it is about is to be taken at once. False when it concerns nobody
    /// any more.
    pub fn deliver(&mut self, id: Id) -> bool {
        let Some(thing) = self.things.get_mut(id) else { return false };
        let Some(told) = thing.told.pop_front() else { return false };
        let mut gone = false;
        match (&mut thing.state, &told) {
            (State::View(nodes), Told::Change(change)) => nodes.apply(change),
            (State::Leaving, Told::Over(_)) | (_, Told::Over(Err(_))) => gone = true,
            (State::Joining(lease), Told::Over(Ok(_))) => {
                thing.state = State::Joined(take(lease));
            }
            _ => {}
        }
        if gone {
            self.things.remove(id);
        }
        self.delivered = Some(told);
        true
    }

    /// What the event is about that was handed over last.
    pub fn take(&mut self) -> Option<Told> {
        self.delivered.take()
    }

    /// Ends all of it. Registrations are given back: until then something is alive.
    pub fn close_all(&mut self, reactor: &mut Reactor) {
        for id in self.things.ids() {
            if !matches!(self.leave(reactor, id), Ok(true)) {
                self.withdraw(id.slot());
            }
        }
        for line in self.lines.ids() {
            self.close(line);
        }
    }

    /// True while there is a registration or a view.
    pub fn is_alive(&self) -> bool {
        !self.things.is_empty()
    }
}
