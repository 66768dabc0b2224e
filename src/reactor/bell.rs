//! What ends the reactor's wait when a signal comes.
//!
//! Without a runtime the watcher itself sleeps. With one, its socket is among the runtime's.

use std::io;
use std::os::raw::c_int;
use std::task::{Context, Poll};

use tokio::net::UnixStream;

use crate::signals::Watcher;

use super::event::Event;
use super::{Reactor, Refusal};

#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) signals: Watcher,
    ear: Option<UnixStream>,
}

impl Bell {
    /// Has the turn woken by the next signal. Those before it can be taken afterwards.
    pub(super) fn listen(&mut self, cx: &mut Context<'_>) {
        let mut buffer = [0; 64];
        if let Some(ear) = &self.ear {
            while let Poll::Ready(Ok(())) = ear.poll_read_ready(cx) {
                match ear.try_read(&mut buffer) {
                    Ok(count) if count > 0 => {}
                    // Empty: the next question says so, and leaves the waker.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    _ => break,
                }
            }
        }
    }

    /// In a forked child: leaving the runtime would take the parent's socket out of the poll set
    /// both share.
    pub(super) fn abandon(&mut self) {
        std::mem::forget(self.ear.take());
    }
}

impl Reactor {
    /// Asks for a signal, which becomes an event; see [`Watcher::watch`].
    pub fn watch(&mut self, signal: c_int, last: bool) -> Result<(), Refusal> {
        self.check_fork()?;
        self.bell.signals.watch(signal, last).map_err(Refusal::Unwatchable)?;
        // A signal that is caught and wakes nobody would be lost.
        self.hang_bell().inspect_err(|_| self.bell.signals.unwatch(signal))
    }

    /// Asks for a signal no more.
    pub fn unwatch(&mut self, signal: c_int) {
        self.bell.signals.unwatch(signal);
    }

    /// A loop of our own begins to run, or has ended; see [`Watcher::set_running`].
    pub fn set_running(&mut self, running: bool) {
        self.bell.signals.set_running(running);
    }

    /// Gives the runtime the watcher's socket, once there are both.
    pub(super) fn hang_bell(&mut self) -> Result<(), Refusal> {
        let Some(engine) = &self.engine else { return Ok(()) };
        if self.bell.ear.is_none()
            && let Some(socket) = self.bell.signals.socket().map_err(Refusal::System)?
        {
            let _inside = engine.handle.enter();
            self.bell.ear = Some(UnixStream::from_std(socket).map_err(Refusal::System)?);
        }
        Ok(())
    }

    /// Makes events of the signals that have come.
    pub(super) fn report_signals(&mut self) {
        while let Some(number) = self.bell.signals.take() {
            self.push(Event::Signal { number });
        }
    }
}
