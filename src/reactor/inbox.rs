//! Where wakers and finished jobs leave word for the next poll of a turn.
//!
//! Sockets are not tasks of the runtime: a task per connection costs about a kilobyte and a trip
//! through the scheduler for every message. Instead each source (a connection, a listener) has a
//! waker that writes the source's key down here once, and the turn polls just those sources.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use parking_lot::Mutex;

use crate::net::endpoint::Endpoint;
use crate::net::record::Record;
use crate::net::transport::Transport;
use crate::registry::Id;

/// What became ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A connection of the cluster, or a listener of it.
    Link(u32),
    Door(u32),
    /// The same of plain TCP.
    Stream(u32),
    StreamDoor(u32),
    /// A registration or a watched service.
    #[cfg(feature = "etcd")]
    Discovery(u32),
}

/// Who has something dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A handle of the cluster.
    Peer(Id),
    /// A connect of plain TCP.
    Attempt(Id),
}

/// A dial that has ended: whose it was, and by its number which one of theirs.
#[derive(Debug)]
pub struct Dialed {
    pub owner: Owner,
    pub job: u64,
    pub outcome: Result<(Transport, Endpoint), String>,
}

/// How far one who has come in has got in its handshake.
#[derive(Debug)]
pub struct Arrived {
    pub owner: Id,
    pub step: Step,
}

/// What has become of a handshake.
#[derive(Debug)]
pub enum Step {
    /// It has gone well.
    Done(Transport),
    /// It has failed; why. The connection is there for a moment more.
    Refused(String),
    /// It had failed, and now the connection is gone.
    Gone,
}

/// A lookup that has ended, and whose it was.
#[derive(Debug)]
pub struct LookedUp {
    pub owner: Id,
    pub outcome: Result<Vec<Record>, String>,
}

/// The word left so far.
#[derive(Debug, Default)]
pub struct Mail {
    pub ready: Vec<Key>,
    pub dialed: Vec<Dialed>,
    pub arrived: Vec<Arrived>,
    pub looked_up: Vec<LookedUp>,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.ready.is_empty()
            && self.dialed.is_empty()
            && self.arrived.is_empty()
            && self.looked_up.is_empty()
    }
}

#[derive(Debug, Default)]
struct State {
    mail: Mail,
    /// Who is told: the turn at work, or between turns the bell of a waiting host.
    reader: Option<Waker>,
}

/// The inbox of one reactor. Its lock is never held while anything else is called but the reader's
/// `wake_by_ref`, which takes at most the bell's, and that one is always the last.
#[derive(Debug, Default)]
pub struct Inbox {
    state: Mutex<State>,
}

impl Inbox {
    /// True when a turn has something to do without waiting.
    pub fn has_mail(&self) -> bool {
        !self.state.lock().mail.is_empty()
    }

    /// Swaps the mail out into `mail`, which must be empty, and leaves `waker` to be woken by the
    /// next piece.
    pub fn collect(&self, mail: &mut Mail, waker: &Waker) {
        let mut state = self.state.lock();
        std::mem::swap(&mut state.mail, mail);
        match &mut state.reader {
            Some(known) if known.will_wake(waker) => {}
            slot => *slot = Some(waker.clone()),
        }
    }

    /// The turn is over: what comes now waits for the next one, which looks before it sleeps; a
    /// host that waits by itself has a `bell` to be woken.
    pub fn rest(&self, bell: Option<Waker>) {
        self.state.lock().reader = bell;
    }

    /// Says that a source is ready without a waker having said so.
    pub fn note(&self, key: Key) {
        self.leave(|mail| mail.ready.push(key));
    }

    /// Brings the end of a dial.
    pub fn deliver(&self, dialed: Dialed) {
        self.leave(|mail| mail.dialed.push(dialed));
    }

    /// Brings what has become of a handshake.
    pub fn admit(&self, arrived: Arrived) {
        self.leave(|mail| mail.arrived.push(arrived));
    }

    /// Brings the end of a lookup.
    pub fn bring(&self, end: LookedUp) {
        self.leave(|mail| mail.looked_up.push(end));
    }

    fn leave(&self, write: impl FnOnce(&mut Mail)) {
        let mut state = self.state.lock();
        write(&mut state.mail);
        if let Some(reader) = &state.reader {
            reader.wake_by_ref();
        }
    }
}

/// The waker of one source. However often it is woken, its key stands in the inbox once.
#[derive(Debug)]
pub struct Source {
    key: Key,
    noted: AtomicBool,
    inbox: Arc<Inbox>,
}

impl Source {
    /// A source that is at once noted as ready, so that its first poll registers its waker.
    pub fn new(key: Key, inbox: &Arc<Inbox>) -> Arc<Source> {
        let source =
            Arc::new(Source { key, noted: AtomicBool::new(false), inbox: Arc::clone(inbox) });
        source.note();
        source
    }

    /// Notes the source as ready.
    pub fn note(&self) {
        if !self.noted.swap(true, Ordering::AcqRel) {
            self.inbox.note(self.key);
        }
    }

    /// True while its key stands in the inbox.
    pub fn is_noted(&self) -> bool {
        self.noted.load(Ordering::Acquire)
    }

    /// Must be called before the source is polled: from then on a wake counts again.
    pub fn heed(&self) {
        self.noted.store(false, Ordering::Release);
    }
}

impl Wake for Source {
    fn wake(self: Arc<Self>) {
        self.note();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.note();
    }
}
