//! Everything that one Lua state owns: its reactor, the rooms that the reactor drives, its trace
//! ids.

use std::time::{Duration, Instant};

use crate::cluster::Cluster;
#[cfg(feature = "etcd")]
use crate::discovery::Discovery;
use crate::lookups::Lookups;
use crate::reactor::event::Event;
use crate::reactor::inbox::{Arrived, Dialed, Key, LookedUp, Owner};
use crate::reactor::{Alarm, Driver, Reactor, Refusal};
use crate::sink;
use crate::tcp::Tcp;
use crate::trace::Tracer;

/// How long the end of a state waits for whoever reads the log.
const LAST_LINES: Duration = Duration::from_millis(200);

/// Whoever owns sockets. What the reactor brings goes to the one that it concerns.
#[derive(Default)]
pub struct Rooms {
    pub cluster: Cluster,
    pub tcp: Tcp,
    pub lookups: Lookups,
    #[cfg(feature = "etcd")]
    pub discovery: Discovery,
}

impl Rooms {
    /// Frees what an event stood for, when it is delivered; false when it concerns nobody any more.
    fn deliver(&mut self, event: &Event) -> bool {
        if let Event::LookedUp { lookup } = event {
            self.lookups.deliver(*lookup);
        }
        #[cfg(feature = "etcd")]
        if let Event::Discovered { thing } = event {
            return self.discovery.deliver(*thing);
        }
        self.cluster.deliver(event) && self.tcp.deliver(event)
    }

    /// Closes everything.
    fn close_all(&mut self, reactor: &mut Reactor) {
        self.cluster.close_all(reactor);
        self.tcp.close_all(reactor);
        self.lookups.close_all(reactor);
        #[cfg(feature = "etcd")]
        self.discovery.close_all(reactor);
    }
}

impl Driver for Rooms {
    fn ready(&mut self, reactor: &mut Reactor, key: Key) {
        match key {
            Key::Link(slot) => self.cluster.link_ready(reactor, slot),
            Key::Door(slot) => self.cluster.door_ready(reactor, slot),
            Key::Stream(slot) => self.tcp.link_ready(reactor, slot),
            Key::StreamDoor(slot) => self.tcp.door_ready(reactor, slot),
            #[cfg(feature = "etcd")]
            Key::Discovery(slot) => self.discovery.ready(reactor, slot),
        }
    }

    fn dialed(&mut self, reactor: &mut Reactor, dialed: Dialed) {
        match dialed.owner {
            Owner::Peer(peer) => self.cluster.dialed(reactor, peer, dialed),
            Owner::Attempt(attempt) => self.tcp.dialed(reactor, attempt, dialed),
        }
    }

    fn arrived(&mut self, reactor: &mut Reactor, arrived: Arrived) {
        self.cluster.arrived(reactor, arrived);
    }

    fn looked_up(&mut self, reactor: &mut Reactor, end: LookedUp) {
        self.lookups.looked_up(reactor, end);
    }

    fn alarm(&mut self, reactor: &mut Reactor, alarm: Alarm) {
        match alarm {
            Alarm::Request(request) => self.cluster.time_out(reactor, request),
            Alarm::Link(link) => self.cluster.drop_link(link),
            Alarm::Frame(link) => self.cluster.look_for_rest(reactor, link),
            Alarm::Door(door) => self.cluster.reopen(door),
            Alarm::Lookup(lookup) => self.lookups.time_out(reactor, lookup),
            Alarm::Stream(link) => self.tcp.drop_link(link),
            Alarm::StreamDoor(door) => self.tcp.reopen(door),
            Alarm::Read(stream) => self.tcp.end_read(reactor, stream),
            Alarm::Attempt(attempt) => self.tcp.end_attempt(reactor, attempt),
            Alarm::Timer(_) => {} // the reactor's own
        }
    }

    fn flush(&mut self, reactor: &mut Reactor) {
        self.cluster.flush(reactor);
        self.tcp.flush();
    }

    fn is_alive(&self) -> bool {
        #[cfg(feature = "etcd")]
        if self.discovery.is_alive() {
            return true;
        }
        self.cluster.is_alive() || self.tcp.is_alive() || self.lookups.is_alive()
    }
}

/// One node.
#[derive(Default)]
pub struct Node {
    pub rooms: Rooms,
    pub reactor: Reactor,
    pub tracer: Tracer,
    over: bool,
}

impl Node {
    /// One turn of the loop; see [`Reactor::turn`].
    pub fn turn(&mut self, wait: Option<Duration>) -> Result<(), Refusal> {
        self.reactor.turn(&mut self.rooms, sink::patience(wait))
    }

    /// The end of a turn once its events are taken; see [`Reactor::settle`].
    pub fn settle(&mut self, ready: bool) {
        self.reactor.settle(&mut self.rooms, ready);
    }

    /// The next event that still concerns somebody.
    pub fn take(&mut self) -> Option<Event> {
        loop {
            let event = self.reactor.take()?;
            if self.rooms.deliver(&event) {
                return Some(event);
            }
        }
    }

    /// An event that was taken could not be handed over, because Lua has no memory for what it
    /// carries or to go on with whoever waits for it. Returns what is to be handed over in its place:
    /// itself, where it carries nothing.
    pub fn lose(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Awake { .. } | Event::StreamReady { .. } | Event::StreamDialed { .. } => {
                Some(event)
            }
            _ => self.rooms.cluster.lose(&mut self.reactor, event),
        }
    }

    /// True while something can still happen without anybody doing anything.
    pub fn is_alive(&self) -> bool {
        self.reactor.has_timers() || self.rooms.is_alive()
    }

    /// True once [`shutdown`](Self::shutdown) has begun.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Closes everything, drops the timers, and waits up to `limit` for what is queued to be
    /// written. Events that this brings are of no use to anybody and are dropped.
    ///
    /// In a forked child it is refused: closing would take the parent's sockets out of the poll
    /// set both share.
    pub fn shutdown(&mut self, limit: Duration) -> Result<(), Refusal> {
        self.over = true;
        if self.reactor.is_forked() {
            return Err(Refusal::Forked);
        }
        self.reactor.retire_arena();
        self.reactor.extinguish(); // this is the last that happens
        self.rooms.close_all(&mut self.reactor);
        self.reactor.forget_timers(); // the script's; else they would count as alive
        let end = Instant::now() + limit;
        loop {
            while self.take().is_some() {}
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.rooms.is_alive() {
                return Ok(());
            }
            self.turn(Some(left))?;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        sink::drain(LAST_LINES);
        if self.reactor.is_forked() {
            // Dropping the sockets would take the parent's out of the poll set both share.
            std::mem::forget(std::mem::take(&mut self.rooms));
        }
    }
}
