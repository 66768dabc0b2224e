//! What watchers do to the process. Each test has signals of its own, since they share it.

use super::*;
use std::mem::MaybeUninit;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::channel;
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(10);

extern "C" fn foreign(_: c_int) {}

fn foreigner() -> libc::sighandler_t {
    foreign as extern "C" fn(c_int) as libc::sighandler_t
}

fn set(signal: c_int, action: libc::sighandler_t) {
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(signal, action) };
}

fn current(signal: c_int) -> libc::sighandler_t {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: only reads the present action, which is always possible.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction
    }
}

fn send(signal: c_int) {
    // SAFETY: to this process, where a watcher has a handler.
    unsafe { libc::kill(libc::getpid(), signal) };
}

/// Sleeps until a signal has come.
fn hear(watcher: &mut Watcher) -> c_int {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        watcher.sleep(PATIENCE);
        if let Some(signal) = watcher.take() {
            return signal;
        }
    }
    panic!("no signal has come");
}

#[test]
fn sigint_and_sigterm_are_the_hosts_but_for_loops_of_our_own() {
    set(libc::SIGINT, foreigner());
    set(libc::SIGTERM, foreigner());
    let (mut first, mut last) = (Watcher::default(), Watcher::default());
    first.watch(libc::SIGTERM, false).unwrap();
    assert_eq!(current(libc::SIGTERM), foreigner());
    first.set_running(true);
    last.set_running(true);
    assert_eq!(current(libc::SIGINT), libc::SIG_DFL);
    assert_ne!(current(libc::SIGTERM), foreigner());
    last.watch(libc::SIGINT, false).unwrap();
    assert_eq!(current(libc::SIGINT), current(libc::SIGTERM));
    drop(first);
    assert_eq!(current(libc::SIGTERM), foreigner());
    last.unwatch(libc::SIGINT);
    assert_eq!(current(libc::SIGINT), libc::SIG_DFL);
    last.set_running(false);
    assert_eq!(current(libc::SIGINT), foreigner());
    // A process started with SIGINT ignored keeps it so.
    set(libc::SIGINT, libc::SIG_IGN);
    last.set_running(true);
    assert_eq!(current(libc::SIGINT), libc::SIG_IGN);
    drop(last);
    assert_eq!(current(libc::SIGINT), libc::SIG_IGN);
    set(libc::SIGINT, libc::SIG_DFL);
    set(libc::SIGTERM, libc::SIG_DFL);
}

#[test]
fn every_watcher_hears_a_signal_and_the_last_puts_the_action_back() {
    set(libc::SIGUSR1, foreigner());
    let (ready, go) = channel();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let ready = ready.clone();
            std::thread::spawn(move || {
                let mut watcher = Watcher::default();
                watcher.watch(libc::SIGUSR1, false).unwrap();
                ready.send(()).unwrap();
                hear(&mut watcher)
            })
        })
        .collect();
    for _ in &threads {
        go.recv().unwrap();
    }
    send(libc::SIGUSR1);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), libc::SIGUSR1);
    }
    assert_eq!(current(libc::SIGUSR1), foreigner());
    set(libc::SIGUSR1, libc::SIG_DFL);
}

#[test]
fn the_last_signal_of_a_storm_is_heard() {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    const STORM: usize = 20_000;
    let mut watcher = Watcher::default();
    watcher.watch(libc::SIGUSR2, false).unwrap();
    let sender = std::thread::spawn(|| {
        for count in 1..=STORM {
            SENT.store(count, SeqCst);
            send(libc::SIGUSR2);
        }
    });
    loop {
        assert_eq!(hear(&mut watcher), libc::SIGUSR2);
        if SENT.load(SeqCst) == STORM {
            break;
        }
    }
    sender.join().unwrap();
}

#[test]
fn an_action_that_somebody_else_has_set_since_is_left() {
    let mut watcher = Watcher::default();
    watcher.watch(libc::SIGURG, false).unwrap();
    set(libc::SIGURG, foreigner());
    drop(watcher);
    assert_eq!(current(libc::SIGURG), foreigner());
    set(libc::SIGURG, libc::SIG_DFL);
}

#[test]
fn what_cannot_be_watched_is_refused_and_changes_nothing() {
    let mut watcher = Watcher::default();
    for signal in [libc::SIGKILL, libc::SIGSTOP, 0, -1, 64] {
        let refusal = watcher.watch(signal, false).unwrap_err();
        assert_eq!(refusal.raw_os_error(), Some(libc::EINVAL));
    }
    watcher.watch(libc::SIGPROF, false).unwrap();
}

#[test]
fn a_forked_child_is_ended_by_what_its_parent_watches() {
    let mut watcher = Watcher::default();
    watcher.watch(libc::SIGVTALRM, false).unwrap();
    // SAFETY: the child only raises a signal.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: both are async-signal-safe.
        unsafe {
            libc::raise(libc::SIGVTALRM);
            libc::_exit(0);
        }
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGVTALRM);
    assert_eq!(watcher.take(), None);
}

#[test]
fn a_fault_still_ends_the_process() {
    let mut watcher = Watcher::default();
    watcher.watch(libc::SIGBUS, false).unwrap();
    watcher.watch(libc::SIGSEGV, false).unwrap();
    // SAFETY: a page that may not be written to.
    let page = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        libc::mmap(std::ptr::null_mut(), 1, libc::PROT_NONE, flags, -1, 0)
    };
    // SAFETY: the child makes its own handlers, as whoever watches after a fork does, and ends
    // by its fault.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let watched = watcher.watch(libc::SIGSEGV, false).is_ok();
        let watched = watched && watcher.watch(libc::SIGBUS, false).is_ok();
        if watched {
            // SAFETY: it is not: that is the test.
            unsafe { page.cast::<u8>().write_volatile(0) };
        }
        // SAFETY: leaves without running what belongs to the parent.
        unsafe { libc::_exit(1) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    unsafe { libc::waitpid(child, &mut status, 0) };
    let by = libc::WTERMSIG(status);
    assert!(libc::WIFSIGNALED(status) && [libc::SIGSEGV, libc::SIGBUS].contains(&by));
}
