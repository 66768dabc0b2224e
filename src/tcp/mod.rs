//! Plain TCP: streams of bytes between scripts and whoever they talk to.
//!
//! - `operations`: what scripts ask for: listen, connect, read, write, close.
//! - `traffic`: what sockets, dials and deadlines bring.
//! - `stream`, `attempt`: one of each thing there is; `input`: what was not read yet.
//!
//! A stream is the script's, and gone when the script closes it; its socket, the link, goes when
//! everything is written and the other end has finished. Nothing in here knows Lua, and nothing
//! the cluster; sockets and listeners are those of the reactor's floor.

mod attempt;
mod input;
mod operations;
mod stream;
mod traffic;

use crate::reactor::Reactor;
use crate::reactor::door::Door;
use crate::reactor::event::Event;
use crate::registry::{Id, Registry};

use attempt::{Attempt, Stage};
use stream::{Link, Stream};

pub use input::Want;
pub use operations::Listening;
pub use stream::Reading;

/// All streams and listeners of one Lua state.
#[derive(Default)]
pub struct Tcp {
    streams: Registry<Stream>,
    links: Registry<Link>,
    doors: Registry<Door>,
    attempts: Registry<Attempt>,
    /// Links with bytes to write.
    dirty: Vec<Id>,
}

impl Tcp {
    /// True while a socket, a listener or a connect is there. A stream that has ended on both
    /// sides brings nothing any more, whether or not the script has closed it.
    pub fn is_alive(&self) -> bool {
        !(self.links.is_empty() && self.doors.is_empty() && self.attempts.is_empty())
    }

    /// False for an event that nobody waits for any more. What it stands for is freed only when
    /// the script has asked how it ended.
    pub fn deliver(&mut self, event: &Event) -> bool {
        match event {
            Event::StreamReady { stream } => {
                let wait = self.streams.get(*stream).and_then(|known| known.wait.as_ref());
                wait.is_some_and(|wait| wait.told)
            }
            Event::StreamDialed { attempt } => self.attempts.get(*attempt).is_some(),
            _ => true,
        }
    }

    /// Tells a waiting task, if there is one and something to tell.
    fn call(&mut self, reactor: &mut Reactor, stream: Id) {
        if self.streams.get_mut(stream).is_some_and(Stream::call) {
            reactor.push(Event::StreamReady { stream });
        }
    }

    /// Ends an attempt, unless it has ended.
    fn conclude(&mut self, reactor: &mut Reactor, attempt: Id, outcome: Result<Id, String>) {
        let Some(known) = self.attempts.get_mut(attempt) else { return };
        if let Stage::Dialing(abort) = &known.stage {
            abort.abort();
            known.stage = Stage::Over(outcome);
            reactor.disarm(known.deadline);
            reactor.push(Event::StreamDialed { attempt });
        }
    }
}
