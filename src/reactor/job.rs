//! Work that the runtime does as tasks of its own (dials, lookups), seen from outside.
//!
//! The runtime shows neither that one of its tasks is ready to run nor that one waits for a time
//! of the runtime's. Whoever waits for the reactor on a descriptor has to know both.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

/// How many jobs of a reactor are in a state.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// Woken and not polled since.
    restless: AtomicUsize,
    /// Under way, and with timers of the runtime's in them.
    timed: AtomicUsize,
}

impl Jobs {
    /// True when the runtime would run one at once.
    pub(super) fn are_restless(&self) -> bool {
        self.restless.load(Ordering::Acquire) > 0
    }

    /// True while one may wait for nothing but a time that only the runtime knows.
    pub(super) fn are_timed(&self) -> bool {
        self.timed.load(Ordering::Acquire) > 0
    }
}

/// A future that is counted.
pub(super) struct Job<F> {
    work: Pin<Box<F>>,
    call: Arc<Call>,
    timed: bool,
}

impl<F: Future> Job<F> {
    /// Wraps `work`, which counts as restless until it is polled. `timed`: there are timers of the
    /// runtime's in it.
    pub(super) fn new(work: F, timed: bool, jobs: &Arc<Jobs>) -> Job<F> {
        jobs.restless.fetch_add(1, Ordering::AcqRel);
        jobs.timed.fetch_add(usize::from(timed), Ordering::AcqRel);
        let state = Mutex::new(State { restless: true, task: None });
        let call = Arc::new(Call { state, jobs: Arc::clone(jobs) });
        Job { work: Box::pin(work), call, timed }
    }
}

impl<F: Future> Future for Job<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.call.rest(Some(cx.waker().clone()));
        let waker = Waker::from(Arc::clone(&self.call));
        self.work.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl<F> Drop for Job<F> {
    fn drop(&mut self) {
        self.call.rest(None);
        self.call.jobs.timed.fetch_sub(usize::from(self.timed), Ordering::AcqRel);
    }
}

/// The waker of one job, in front of its task's.
struct Call {
    state: Mutex<State>,
    jobs: Arc<Jobs>,
}

struct State {
    restless: bool,
    /// `None` before the first poll, and once the job has ended: then a wake means nothing.
    task: Option<Waker>,
}

impl Call {
    /// From now on a wake counts again, and goes on to `task`.
    fn rest(&self, task: Option<Waker>) {
        let mut state = self.state.lock();
        state.task = task;
        if std::mem::replace(&mut state.restless, false) {
            self.jobs.restless.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let Some(task) = state.task.clone() else { return };
        if !std::mem::replace(&mut state.restless, true) {
            self.jobs.restless.fetch_add(1, Ordering::AcqRel);
        }
        drop(state);
        task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[test]
    fn a_job_is_restless_from_a_wake_to_the_next_poll_and_never_after_its_end() {
        let jobs = Arc::new(Jobs::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut job = Box::pin(Job::new(pending::<()>(), true, &jobs));
        assert!(jobs.are_restless() && jobs.are_timed());
        assert!(job.as_mut().poll(&mut cx).is_pending());
        assert!(!jobs.are_restless());
        let waker = Waker::from(Arc::clone(&job.call));
        waker.wake_by_ref();
        waker.wake_by_ref();
        assert!(jobs.are_restless());
        assert!(job.as_mut().poll(&mut cx).is_pending());
        assert!(!jobs.are_restless());
        waker.wake_by_ref();
        drop(job);
        waker.wake();
        assert!(!jobs.are_restless() && !jobs.are_timed());
    }

    #[test]
    fn a_job_without_timers_counts_as_none_with() {
        let jobs = Arc::new(Jobs::default());
        let mut job = Box::pin(Job::new(ready(7), false, &jobs));
        assert!(!jobs.are_timed());
        let poll = job.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(poll, Poll::Ready(7));
        drop(job);
        assert!(!jobs.are_restless() && !jobs.are_timed());
    }
}
