//! Names that tasks wait for: each lookup with its deadline, and what became of it.

use tokio::task::AbortHandle;

use crate::net::record::{Kind, Record};
use crate::reactor::event::Event;
use crate::reactor::inbox::LookedUp;
use crate::reactor::{Alarm, Reactor, Refusal};
use crate::reason::Reason;
use crate::registry::{Id, Registry};
use crate::timers::TimerId;

/// What a name stands for, or why nothing is known.
pub type Answer = Result<Vec<Record>, Reason>;

struct Lookup {
    deadline: TimerId,
    job: Option<AbortHandle>,
    /// Once it is there, its event is on the way.
    answer: Option<Answer>,
}

/// All lookups of one Lua state that are not over.
#[derive(Default)]
pub struct Lookups {
    pending: Registry<Lookup>,
    delivered: Option<Answer>,
}

impl Lookups {
    /// Starts a lookup that ends within `timeout` milliseconds, with an event.
    pub fn start(
        &mut self,
        reactor: &mut Reactor,
        name: String,
        kind: Kind,
        timeout: u64,
    ) -> Result<Id, Refusal> {
        let id = self.pending.insert_with(|id| Lookup {
            deadline: reactor.arm(timeout, Alarm::Lookup(id)),
            job: None,
            answer: None,
        });
        match reactor.look_up(id, name, kind) {
            Ok(job) => {
                if let Some(known) = self.pending.get_mut(id) {
                    known.job = Some(job);
                }
                Ok(id)
            }
            Err(refusal) => {
                self.drop_one(reactor, id);
                Err(refusal)
            }
        }
    }

    /// The resolver has come to an end.
    pub fn looked_up(&mut self, reactor: &mut Reactor, end: LookedUp) {
        self.conclude(reactor, end.owner, end.outcome.map_err(Reason::from));
    }

    /// The time is up.
    pub fn time_out(&mut self, reactor: &mut Reactor, id: Id) {
        self.conclude(reactor, id, Err(Reason::Timeout));
    }

    /// Ends the lookup in a slot as its deadline would: whoever asked is gone.
    pub fn withdraw(&mut self, reactor: &mut Reactor, slot: u32) {
        if let Some(id) = self.pending.at(slot) {
            self.time_out(reactor, id);
        }
    }

    fn conclude(&mut self, reactor: &mut Reactor, id: Id, answer: Answer) {
        let Some(known) = self.pending.get_mut(id) else { return };
        if known.answer.is_some() {
            return;
        }
        known.answer = Some(answer);
        reactor.disarm(known.deadline);
        if let Some(job) = &known.job {
            job.abort(); // nothing of it is left, if it has not ended by itself
        }
        reactor.push(Event::LookedUp { lookup: id });
    }

    /// Its event is handed over: the slot is free, and the answer is to be taken at once.
    pub fn deliver(&mut self, id: Id) {
        self.delivered = self.pending.remove(id).and_then(|known| known.answer);
    }

    /// The answer of the lookup whose event was handed over last.
    pub fn take(&mut self) -> Option<Answer> {
        self.delivered.take()
    }

    /// Ends all of them without a word.
    pub fn close_all(&mut self, reactor: &mut Reactor) {
        for id in self.pending.ids() {
            self.drop_one(reactor, id);
        }
    }

    fn drop_one(&mut self, reactor: &mut Reactor, id: Id) {
        let Some(known) = self.pending.remove(id) else { return };
        reactor.disarm(known.deadline);
        if let Some(job) = known.job {
            job.abort();
        }
    }

    /// True while one is under way.
    pub fn is_alive(&self) -> bool {
        !self.pending.is_empty()
    }
}
