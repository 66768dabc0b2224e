//! Plain TCP without Lua: bytes on a real socket on one side, readings on the other.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers are not exempt by themselves"
)]

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use silly_cluster::node::Node;
use silly_cluster::reactor::event::Event;
use silly_cluster::registry::Id;
use silly_cluster::tcp::{Reading, Want};

const PATIENCE: Duration = Duration::from_secs(10);
const CHUNK: usize = 64 * 1024;

/// Turns the node's loop until an event is the wanted one.
fn until(node: &mut Node, wanted: impl Fn(&Event) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        while let Some(event) = node.take() {
            if wanted(&event) {
                return;
            }
        }
        assert!(Instant::now() < end, "nothing of the kind has happened");
        node.turn(Some(Duration::from_millis(100))).unwrap();
    }
}

fn connect(node: &mut Node, remote: SocketAddr, timeout: u64) -> Id {
    node.rooms.tcp.connect(&mut node.reactor, remote.into(), None, timeout).unwrap()
}

/// A stream and the raw socket at its other end.
fn connected(node: &mut Node) -> (Id, TcpStream) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let attempt = connect(node, server.local_addr().unwrap(), 5_000);
    until(node, |event| *event == Event::StreamDialed { attempt });
    let stream = node.rooms.tcp.connected(attempt).unwrap();
    (stream, server.accept().unwrap().0)
}

/// What is read at once.
fn read(node: &mut Node, stream: Id, want: Want) -> Option<Vec<u8>> {
    match node.rooms.tcp.read(&mut node.reactor, stream, want, None) {
        Reading::Bytes { bytes, count } => {
            let taken = bytes[..count].to_vec();
            node.rooms.tcp.take_back(stream, bytes, count);
            Some(taken)
        }
        Reading::Waiting => None,
        other => panic!("{other:?}"),
    }
}

/// Sends more than one read takes, however much of it the kernel holds.
fn flood(mut peer: TcpStream) -> JoinHandle<TcpStream> {
    thread::spawn(move || {
        peer.write_all(&[b'x'; 4 * CHUNK]).unwrap();
        peer
    })
}

#[test]
fn a_stream_with_much_to_read_gets_one_read_per_turn() {
    let mut node = Node::default();
    let (busy, flooder) = connected(&mut node);
    let (calm, mut peer) = connected(&mut node);
    let flooder = flood(flooder);
    peer.write_all(b"y").unwrap();
    let end = Instant::now() + PATIENCE;
    let mut before = 0;
    while before < 4 * CHUNK {
        assert!(Instant::now() < end);
        node.turn(Some(Duration::ZERO)).unwrap();
        let unread = node.rooms.tcp.unread(busy);
        assert!(unread - before <= CHUNK);
        before = unread;
    }
    assert_eq!(read(&mut node, calm, Want::Exactly(1)).unwrap(), b"y");
    flooder.join().unwrap();
}

#[test]
fn a_paused_stream_goes_on_when_it_is_read_from() {
    let mut node = Node::default();
    let (stream, peer) = connected(&mut node);
    node.rooms.tcp.set_limit(stream, Some(1));
    let peer = flood(peer);
    let end = Instant::now() + PATIENCE;
    while node.rooms.tcp.unread(stream) == 0 {
        assert!(Instant::now() < end);
        node.turn(Some(Duration::from_millis(10))).unwrap();
    }
    let held = node.rooms.tcp.unread(stream);
    for _ in 0..3 {
        node.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(node.rooms.tcp.unread(stream), held);
    // Somebody waits for more than the limit, and gets it.
    assert_eq!(read(&mut node, stream, Want::Exactly(4 * CHUNK)), None);
    until(&mut node, |event| *event == Event::StreamReady { stream });
    let reading = node.rooms.tcp.conclude_read(&mut node.reactor, stream);
    let Reading::Bytes { bytes, count } = reading else { panic!("{reading:?}") };
    assert_eq!(count, 4 * CHUNK);
    node.rooms.tcp.take_back(stream, bytes, count);
    assert_eq!(node.rooms.tcp.unread(stream), 0);
    peer.join().unwrap();
}

#[test]
fn a_withdrawn_read_is_told_nobody() {
    let mut node = Node::default();
    let (stream, mut peer) = connected(&mut node);
    assert_eq!(read(&mut node, stream, Want::Exactly(1)), None);
    peer.write_all(b"ab").unwrap();
    let end = Instant::now() + PATIENCE;
    while node.rooms.tcp.unread(stream) == 0 {
        assert!(Instant::now() < end);
        node.turn(Some(Duration::from_millis(10))).unwrap();
    }
    // Its event is on the way, and meets a reader that wants something else.
    node.rooms.tcp.withdraw(&mut node.reactor, stream);
    assert_eq!(read(&mut node, stream, Want::Through(b'c')), None);
    assert_eq!(node.take(), None);
    peer.write_all(b"c").unwrap();
    until(&mut node, |event| *event == Event::StreamReady { stream });
    let reading = node.rooms.tcp.conclude_read(&mut node.reactor, stream);
    let Reading::Bytes { bytes, count } = reading else { panic!("{reading:?}") };
    assert_eq!(&bytes[..count], b"abc");
}

#[test]
fn an_abandoned_attempt_leaves_nothing_whether_or_not_it_had_ended() {
    let mut node = Node::default();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = server.local_addr().unwrap();
    let early = connect(&mut node, remote, 5_000);
    node.rooms.tcp.abandon(&mut node.reactor, early);
    assert!(!node.is_alive());
    let late = connect(&mut node, remote, 5_000);
    let end = Instant::now() + PATIENCE;
    node.turn(Some(PATIENCE)).unwrap(); // ends with the event, which is not taken
    let (peer, _) = server.accept().unwrap();
    node.rooms.tcp.abandon(&mut node.reactor, late);
    assert_eq!(node.take(), None);
    drop(peer);
    drop(server);
    while node.is_alive() {
        assert!(Instant::now() < end);
        node.turn(Some(Duration::from_millis(10))).unwrap();
    }
}

#[test]
fn a_refused_connect_is_told_in_the_systems_words() {
    let mut node = Node::default();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = nobody.local_addr().unwrap();
    drop(nobody);
    let attempt = connect(&mut node, remote, 5_000);
    until(&mut node, |event| *event == Event::StreamDialed { attempt });
    assert_eq!(node.rooms.tcp.connected(attempt), Err("Connection refused".to_owned()));
    assert!(!node.is_alive());
}
