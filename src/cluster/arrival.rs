//! Those who have come in and whose handshake is under way: counted as connections, and otherwise nobody yet.

use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::net::endpoint::Endpoint;
use crate::net::tls::Credentials;
use crate::net::transport::Transport;
use crate::reactor::Reactor;
use crate::reactor::event::Severity;
use crate::reactor::inbox::{Arrived, Step};
use crate::registry::Id;
use crate::wire::Generation;

use super::Cluster;

/// So many failed handshakes are logged in a second: what is wrong with each differs.
pub(super) const LINES: u32 = 20;

/// One of them.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Where it has come in; gone with that.
    gate: Id,
    remote: Endpoint,
    /// What it is to speak.
    generation: Generation,
    /// Its handshake; none before that was started.
    shaking: Option<AbortHandle>,
}

impl Cluster {
    /// Begins the handshake with one who has come in.
    pub(super) fn greet(
        &mut self,
        reactor: &mut Reactor,
        gate: Id,
        plain: Transport,
        remote: Endpoint,
        generation: Generation,
        tls: &Arc<Credentials>,
    ) {
        self.last_door = Some(gate);
        let id = self.arrivals.insert(Arrival { gate, remote, generation, shaking: None });
        match reactor.shake(id, plain, Arc::clone(tls), self.limits.handshake) {
            Ok(shaking) => {
                if let Some(arrival) = self.arrivals.get_mut(id) {
                    arrival.shaking = Some(shaking);
                }
            }
            Err(refusal) => {
                for step in [Step::Refused(refusal.to_string()), Step::Gone] {
                    self.arrived(reactor, Arrived { owner: id, step });
                }
            }
        }
    }

    /// Something has become of a handshake.
    pub fn arrived(&mut self, reactor: &mut Reactor, arrived: Arrived) {
        let Arrived { owner, step } = arrived;
        match step {
            Step::Done(stream) => {
                // Turned away meanwhile, unless it is here.
                if let Some(Arrival { remote, generation, .. }) = self.arrivals.remove(owner) {
                    self.welcome(reactor, stream, remote, generation);
                    self.let_others_begin();
                }
            }
            Step::Refused(why) => {
                let Some(Arrival { remote, .. }) = self.arrivals.get(owner) else { return };
                self.totals.failed_handshakes += 1;
                let text = || format!("[cluster] refusing {remote}: tls: {why}");
                if let Some(text) = self.remarks.line(reactor.now(), text) {
                    reactor.log(Severity::Error, text);
                }
            }
            Step::Gone => {
                if let Some(Arrival { remote, .. }) = self.arrivals.remove(owner) {
                    self.guard.leave(&remote);
                    self.let_others_begin();
                }
            }
        }
    }

    /// Ends those of a listener.
    pub(super) fn turn_away(&mut self, gate: Id) {
        for id in self.arrivals.ids() {
            if self.arrivals.get(id).is_none_or(|arrival| arrival.gate != gate) {
                continue;
            }
            let Some(Arrival { remote, shaking, .. }) = self.arrivals.remove(id) else { continue };
            self.guard.leave(&remote);
            if let Some(shaking) = shaking {
                shaking.abort();
            }
        }
        self.let_others_begin();
    }

    /// There may be room for handshakes that wait at some door. Whichever is looked after first takes all of it,
    /// so they take turns at that: the one that has taken some last comes last.
    pub(super) fn let_others_begin(&mut self) {
        let doors = self.gates.ids();
        let after =
            doors.iter().position(|door| Some(*door) == self.last_door).map_or(0, |at| at + 1);
        for door in doors.iter().cycle().skip(after).take(doors.len()) {
            if let Some(gate) = self.gates.get(*door).filter(|gate| gate.tls.is_some()) {
                gate.door.note();
            }
        }
    }
}
