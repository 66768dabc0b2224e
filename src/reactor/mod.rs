//! The reactor: one tokio runtime on the thread that calls it, and one turn of its loop.
//!
//! A turn writes what is queued, waits in tokio until something has happened or the next deadline
//! has come, and leaves what happened in a queue of plain events. Nothing in here knows Lua;
//! futures and wakers never touch an interpreter.
//!
//! The runtime is made at the first socket, so a program that only sleeps has no descriptor of
//! ours, and a forked child that finds itself with its parent's runtime is told so.

mod alarms;
pub mod arena;
mod beacon;
mod bell;
pub mod clock;
pub mod door;
mod errands;
pub mod event;
#[expect(unsafe_code, reason = "pthread_atfork")]
mod fork;
pub mod inbox;
mod job;
mod lamp;
mod refusal;
pub mod socket;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Sleep;

use crate::net::resolver::Resolver;
use crate::registry::Registry;
use crate::timers::Timers;

use alarms::Timer;
use arena::Arena;
use beacon::Beacon;
use bell::Bell;
use clock::Clock;
use event::{Event, Severity};
use inbox::{Arrived, Dialed, Inbox, Key, LookedUp, Mail, Source};
use job::Jobs;

pub use alarms::Alarm;
pub use refusal::Refusal;

/// What the reactor drives: the owner of the sockets.
pub trait Driver {
    /// A source's waker has spoken.
    fn ready(&mut self, reactor: &mut Reactor, key: Key);
    /// A dial has ended.
    fn dialed(&mut self, reactor: &mut Reactor, dialed: Dialed);
    /// Something has become of a handshake with one who has come in.
    fn arrived(&mut self, reactor: &mut Reactor, arrived: Arrived);
    /// A lookup has ended.
    fn looked_up(&mut self, reactor: &mut Reactor, end: LookedUp);
    /// A deadline other than a timer's has come.
    fn alarm(&mut self, reactor: &mut Reactor, alarm: Alarm);
    /// Writes whatever is queued.
    fn flush(&mut self, reactor: &mut Reactor);
    /// True while something can still happen by itself: a connection, a listener, a request.
    fn is_alive(&self) -> bool;
}

struct Engine {
    /// Out while a turn is running.
    runtime: Option<Runtime>,
    handle: Handle,
    /// One sleep for all deadlines, moved only when an earlier one is wanted.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Of the process that made it.
    generation: u32,
}

/// The state of one event loop.
pub struct Reactor {
    clock: Clock,
    deadlines: Timers<Alarm>,
    timers: Registry<Timer>,
    events: VecDeque<Event>,
    /// What the turn has read, for its events to refer to.
    pub arena: Arena,
    /// The arena of the last turn before the end; see [`Reactor::retire_arena`].
    retired: Arena,
    inbox: Arc<Inbox>,
    mail: Mail,
    resolver: Resolver,
    /// How many jobs there were.
    serial: u64,
    jobs: Arc<Jobs>,
    beacon: Beacon,
    bell: Bell,
    engine: Option<Engine>,
}

impl Default for Reactor {
    fn default() -> Self {
        Reactor::new()
    }
}

impl Reactor {
    /// A reactor at rest: no thread, no descriptor, no signal handler.
    pub fn new() -> Reactor {
        Reactor {
            clock: Clock::new(),
            deadlines: Timers::new(),
            timers: Registry::default(),
            events: VecDeque::new(),
            arena: Arena::default(),
            retired: Arena::default(),
            inbox: Arc::default(),
            mail: Mail::default(),
            resolver: Resolver::default(),
            serial: 0,
            jobs: Arc::default(),
            beacon: Beacon::new(),
            bell: Bell::default(),
            engine: None,
        }
    }

    /// Milliseconds since the reactor began.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    // ---- events

    /// Queues an event for Lua.
    pub fn push(&mut self, event: Event) {
        self.events.push_back(event);
        self.ring();
    }

    /// Queues a line for the log.
    pub fn log(&mut self, severity: Severity, text: String) {
        self.push(Event::Log { severity, text: text.into() });
    }

    /// The next event. A timer cancelled after it fired is passed over here.
    pub fn take(&mut self) -> Option<Event> {
        loop {
            let event = self.events.pop_front()?;
            if let Event::Awake { timer } | Event::Alarm { timer } = event
                && self.timers.remove(timer).is_none()
            {
                continue;
            }
            return Some(event);
        }
    }

    /// Leaves the bytes of the last turn where they are for good: the end may come in a finaliser,
    /// while an event's bytes are being copied.
    pub fn retire_arena(&mut self) {
        if self.retired.is_empty() {
            self.retired = std::mem::take(&mut self.arena);
        }
    }

    // ---- sources and jobs

    /// A waker for a new source, already noted as ready.
    pub fn source(&self, key: Key) -> Arc<Source> {
        Source::new(key, &self.inbox)
    }

    /// Runs `work` inside the runtime, which is made if there is none.
    pub fn enter<R>(&mut self, work: impl FnOnce() -> R) -> Result<R, Refusal> {
        let handle = self.engine()?.handle.clone();
        let _inside = handle.enter();
        Ok(work())
    }

    fn engine(&mut self) -> Result<&mut Engine, Refusal> {
        self.check_fork()?;
        if self.engine.is_none() {
            let runtime =
                Builder::new_current_thread().enable_all().build().map_err(Refusal::System)?;
            self.engine = Some(Engine {
                handle: runtime.handle().clone(),
                runtime: Some(runtime),
                sleep: None,
                generation: fork::generation(),
            });
        }
        self.hang_bell()?;
        // The branch above has just filled it.
        self.engine.as_mut().ok_or_else(|| Refusal::System(io::ErrorKind::Other.into()))
    }

    /// True in a child of the process that made the runtime: nothing of it may be touched, not
    /// even to close it, because the kernel's side of it is the parent's too.
    pub fn is_forked(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.generation != fork::generation())
    }

    fn check_fork(&self) -> Result<(), Refusal> {
        if self.is_forked() { Err(Refusal::Forked) } else { Ok(()) }
    }

    // ---- the turn

    /// One turn. `wait` is the longest time to wait for something to happen: zero never blocks but
    /// still moves the sockets, `None` waits as long as it takes.
    ///
    /// With events of the last turn still untaken it only writes, since they refer to its arena.
    pub fn turn(
        &mut self,
        driver: &mut impl Driver,
        wait: Option<Duration>,
    ) -> Result<(), Refusal> {
        self.check_fork()?;
        self.beacon.turn_begins();
        if !self.events.is_empty() {
            driver.flush(self);
            return Ok(());
        }
        self.arena.clear();
        let until = wait.map(|wait| {
            let now = Instant::now();
            now.checked_add(wait).unwrap_or_else(|| now + Duration::from_secs(365 * 24 * 3600))
        });
        let Some(engine) = &mut self.engine else {
            self.sleep_until(until);
            self.report_signals();
            self.fire(driver);
            self.beacon.turn_ends();
            return Ok(());
        };
        if Handle::try_current().is_ok() {
            return Err(Refusal::InsideRuntime);
        }
        let Some(runtime) = engine.runtime.take() else {
            return Ok(()); // a turn within a turn: the outer one is at work
        };
        let mut sleep = engine.sleep.take();
        // The last thing may end without an event, which must not leave the turn waiting.
        let lively = wait.is_none() || self.is_alive(driver);
        runtime.block_on(tokio::task::coop::unconstrained(async {
            driver.flush(self);
            // A deadline that has come ends the wait before the sockets were looked at: timers
            // that are always due would starve them.
            let now = self.clock.now();
            let due = self.deadlines.next_due().is_some_and(|tick| tick <= now);
            let blocking = wait != Some(Duration::ZERO) && !due && !self.inbox.has_mail();
            if !blocking {
                // Lets the runtime look at the sockets once, without waiting.
                tokio::task::yield_now().await;
                if self.jobs.are_timed() {
                    // And what that woke of the resolver's own may run, too: it is not counted.
                    tokio::task::yield_now().await;
                }
            }
            poll_fn(|cx| self.poll_turn(driver, cx, &mut sleep, until, blocking, lively)).await;
        }));
        self.inbox.rest(None);
        self.beacon.turn_ends();
        if let Some(engine) = &mut self.engine {
            engine.sleep = sleep;
            engine.runtime = Some(runtime);
        }
        Ok(())
    }

    fn poll_turn(
        &mut self,
        driver: &mut impl Driver,
        cx: &mut Context<'_>,
        sleep: &mut Option<Pin<Box<Sleep>>>,
        until: Option<Instant>,
        blocking: bool,
        lively: bool,
    ) -> Poll<()> {
        let mut mail = std::mem::take(&mut self.mail);
        self.inbox.collect(&mut mail, cx.waker());
        if self.events.is_empty() {
            // A turn goes on until there is an event. What has brought none, parts of long messages and
            // messages that nobody is told of, must neither use up what it may read nor stay until then.
            self.arena.clear();
        }
        for dialed in mail.dialed.drain(..) {
            driver.dialed(self, dialed);
        }
        for arrived in mail.arrived.drain(..) {
            driver.arrived(self, arrived);
        }
        for end in mail.looked_up.drain(..) {
            driver.looked_up(self, end);
        }
        for key in mail.ready.drain(..) {
            driver.ready(self, key);
        }
        self.mail = mail; // keeps its memory
        self.bell.listen(cx);
        self.report_signals();
        self.fire(driver);
        driver.flush(self);
        if !blocking || !self.events.is_empty() || lively && !self.is_alive(driver) {
            return Poll::Ready(());
        }
        let due = self.deadlines.next_due().map(|tick| self.clock.instant(tick));
        let Some(target) = due.into_iter().chain(until).min() else {
            return Poll::Pending;
        };
        if until.is_some_and(|until| until <= Instant::now()) {
            return Poll::Ready(());
        }
        let sleep = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(target.into())));
        // A sleep that ends too early only costs a look; moving it costs more.
        if sleep.is_elapsed() || sleep.deadline().into_std() > target {
            sleep.as_mut().reset(target.into());
        }
        match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_alive(&self, driver: &impl Driver) -> bool {
        self.has_timers() || driver.is_alive()
    }

    /// The wait of a loop that has no sockets. With neither a deadline nor a limit nothing could
    /// ever end it, so it does not begin.
    fn sleep_until(&mut self, until: Option<Instant>) {
        let due = self.deadlines.next_due().map(|tick| self.clock.instant(tick));
        if let Some(target) = due.into_iter().chain(until).min() {
            self.bell.signals.sleep(target.saturating_duration_since(Instant::now()));
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        let forked = self.is_forked();
        let Some(engine) = self.engine.take() else { return };
        if forked {
            // Closing it would take the parent's sockets out of the poll set both share.
            self.bell.abandon();
            std::mem::forget(engine);
        } else if let Some(runtime) = engine.runtime {
            // Dropping it plainly panics inside a host's runtime, and waits for stuck work.
            runtime.shutdown_background();
        }
    }
}
