//! Signals that reach two nodes in two threads, whatever each of them waits for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers are not exempt by themselves")]
#![expect(unsafe_code, reason = "sends itself signals")]

use std::io::Read;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use silly_cluster::cluster::Terms;
use silly_cluster::net::address::parse_listen;
use silly_cluster::node::Node;
use silly_cluster::reactor::event::Event;
use silly_cluster::signals::Watcher;

const PATIENCE: Duration = Duration::from_secs(10);

/// Watches, says so, and waits for the event.
fn hear(node: &mut Node, ready: &Sender<()>) {
    node.reactor.watch(libc::SIGUSR1, false).unwrap();
    ready.send(()).unwrap();
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        node.turn(Some(PATIENCE)).unwrap();
        if let Some(event) = node.take() {
            assert_eq!(event, Event::Signal { number: libc::SIGUSR1 });
            return;
        }
    }
    panic!("no signal has come");
}

// In here because a test beside it that forks would keep the other end open.
#[test]
fn a_watcher_that_is_dropped_closes_what_it_has_opened() {
    let mut watcher = Watcher::default();
    assert!(watcher.socket().unwrap().is_none());
    watcher.watch(libc::SIGUSR2, false).unwrap();
    let mut socket = watcher.socket().unwrap().unwrap();
    drop(watcher);
    assert_eq!(socket.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_signal_ends_the_wait_of_every_node_with_sockets_or_without() {
    let (ready, go) = channel();
    let also_ready = ready.clone();
    let idle = thread::spawn(move || {
        let mut node = Node::default();
        node.reactor.set_timer(60_000, true);
        hear(&mut node, &also_ready);
    });
    let listening = thread::spawn(move || {
        let mut node = Node::default();
        let address = parse_listen("127.0.0.1:0").unwrap();
        let reactor = &mut node.reactor;
        node.rooms.cluster.listen(reactor, &address, Terms::default()).unwrap();
        hear(&mut node, &ready);
        hear(&mut node, &ready);
    });
    for _ in 0..2 {
        go.recv().unwrap();
    }
    let began = Instant::now();
    // SAFETY: both threads watch it by now.
    unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
    idle.join().unwrap();
    go.recv().unwrap(); // the other one waits again
    // SAFETY: one of them still does.
    unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
    listening.join().unwrap();
    assert!(began.elapsed() < PATIENCE);
}
