//! A node without Lua: bytes on a real socket on one side, events on the other.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers are not exempt by themselves"
)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use silly_cluster::cluster::{Kind, Submitted};
use silly_cluster::node::Node;
use silly_cluster::reactor::event::{Event, Severity};
use silly_cluster::reason::Reason;
use silly_cluster::registry::Id;

use support::{PATIENCE, call, connected, listen, submit, until};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn a_call_is_the_documented_bytes_and_its_answer_comes_back() {
    let mut node = Node::default();
    let (peer, mut server) = connected(&mut node);
    let request = call(&mut node, peer, b"hello", 5_000);
    node.turn(Some(Duration::ZERO)).unwrap();
    let mut seen = [0; 23];
    server.read_exact(&mut seen).unwrap();
    assert_eq!(seen.as_slice(), hex("0015 68656c6c6f 8877665544332211 05030201 00000000"));
    server.write_all(&hex("0009 776f726c64 00000080")).unwrap();
    let answer = until(&mut node, |node, event| match event {
        Event::Reply { request: done, data } if *done == request => {
            Some(node.reactor.arena.get(*data).to_vec())
        }
        _ => None,
    });
    assert_eq!(answer, b"world");
}

#[test]
fn a_request_arrives_byte_by_byte_and_is_answered() {
    let mut node = Node::default();
    let (_, address) = listen(&mut node);
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_nodelay(true).unwrap();
    for byte in hex("0015 68656c6c6f 8877665544332211 05030201 07000000") {
        client.write_all(&[byte]).unwrap();
        node.turn(Some(Duration::ZERO)).unwrap();
        while let Some(event) = node.take() {
            let Event::Request { fd, session, cmd, data, .. } = event else { continue };
            assert_eq!(
                (session, cmd, node.reactor.arena.get(data)),
                (7, 0x0102_0305, &b"hello"[..])
            );
            let link = Id::from_bits(fd);
            node.rooms.cluster.respond(&mut node.reactor, link, session, Some(b"")).unwrap();
        }
    }
    // The last byte may not have been there yet when the loop looked.
    let end = Instant::now() + PATIENCE;
    client.set_nonblocking(true).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 6 {
        assert!(Instant::now() < end);
        node.turn(Some(Duration::from_millis(10))).unwrap();
        while let Some(event) = node.take() {
            let Event::Request { fd, session, .. } = event else { continue };
            let link = Id::from_bits(fd);
            node.rooms.cluster.respond(&mut node.reactor, link, session, Some(b"")).unwrap();
        }
        let mut buffer = [0; 16];
        if let Ok(count) = client.read(&mut buffer) {
            seen.extend_from_slice(&buffer[..count]);
        }
    }
    assert_eq!(seen, hex("0004 07000080"));
}

#[test]
fn a_lost_connection_fails_its_calls_at_once_and_each_once() {
    let mut node = Node::default();
    let (peer, server) = connected(&mut node);
    let asked: Vec<Id> = (0..1000).map(|_| call(&mut node, peer, b"x", 60_000)).collect();
    drop(server);
    let mut failed = Vec::new();
    let mut closed = 0;
    until(&mut node, |_, event| {
        match event {
            Event::Closed { .. } => closed += 1,
            Event::Failed { request, why } => {
                assert_eq!(closed, 1, "the close comes first");
                assert_eq!(*why, Reason::Closed);
                failed.push(*request);
            }
            _ => {}
        }
        (failed.len() == asked.len()).then_some(())
    });
    assert_eq!(failed, asked);
    assert!(node.take().is_none());
}

#[test]
fn what_was_sent_before_a_close_is_delivered() {
    let mut node = Node::default();
    let (peer, mut server) = connected(&mut node);
    for _ in 0..100 {
        assert!(matches!(submit(&mut node, Kind::Send, peer, &[7; 1000], 5_000), Submitted::Sent));
    }
    node.rooms.cluster.close_peer(&mut node.reactor, peer);
    assert!(matches!(
        submit(&mut node, Kind::Send, peer, b"late", 5_000),
        Submitted::Refused(Reason::PeerClosed)
    ));
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        server.read_to_end(&mut all).unwrap();
        all.len()
    });
    let end = Instant::now() + PATIENCE;
    while node.is_alive() {
        assert!(Instant::now() < end);
        node.turn(Some(Duration::from_millis(100))).unwrap();
        while node.take().is_some() {}
    }
    assert_eq!(reader.join().unwrap(), 100 * 1018);
}

#[test]
fn a_peer_that_does_not_read_makes_senders_wait_for_room() {
    let mut node = Node::default();
    let (peer, mut server) = connected(&mut node);
    let mut sent: usize = 0;
    let waiting = loop {
        match submit(&mut node, Kind::Send, peer, &[1; 60_000], 5_000) {
            Submitted::Sent => sent += 1,
            Submitted::Waiting(request) => break request,
            Submitted::Refused(why) => panic!("{why}"),
        }
        assert!(sent < 1000, "nothing ever makes them wait");
    };
    let reader = std::thread::spawn(move || {
        let mut left = (sent + 1) * 60_018;
        let mut buffer = vec![0; 65_536];
        while left > 0 {
            left -= server.read(&mut buffer).unwrap();
        }
        server
    });
    until(&mut node, |_, event| {
        matches!(event, Event::Done { request } if *request == waiting).then_some(())
    });
    let end = Instant::now() + PATIENCE;
    while !reader.is_finished() {
        assert!(Instant::now() < end);
        node.turn(Some(Duration::from_millis(10))).unwrap();
    }
}

#[test]
fn a_deadline_passes_while_waiting_for_room() {
    let mut node = Node::default();
    let (peer, _server) = connected(&mut node);
    let waiting = loop {
        if let Submitted::Waiting(request) = submit(&mut node, Kind::Send, peer, &[1; 60_000], 50) {
            break request;
        }
    };
    let why = until(&mut node, |_, event| match event {
        Event::Failed { request, why } if *request == waiting => Some(why.clone()),
        _ => None,
    });
    assert_eq!(why, Reason::Timeout);
}

#[test]
fn a_violation_closes_that_connection_only_and_is_logged() {
    let mut node = Node::default();
    let (_, address) = listen(&mut node);
    let mut bad = TcpStream::connect(address).unwrap();
    let mut good = TcpStream::connect(address).unwrap();
    bad.write_all(&hex("0003 010203")).unwrap();
    let logged = until(&mut node, |_, event| match event {
        Event::Log { severity: Severity::Error, text } => Some(text.to_string()),
        _ => None,
    });
    assert!(logged.contains(&bad.local_addr().unwrap().to_string()), "{logged}");
    let errno = until(&mut node, |_, event| match event {
        Event::Closed { errno, .. } => Some(*errno),
        _ => None,
    });
    assert_eq!(errno, libc::EPROTO);
    good.write_all(&hex("0010 0000000000000000 01000000 00000000")).unwrap();
    until(&mut node, |_, event| matches!(event, Event::Request { .. }).then_some(()));
}

#[test]
fn inside_a_hosts_runtime_a_turn_is_refused_and_dropping_does_not_panic() {
    let host = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut node = Node::default();
    listen(&mut node);
    let (peer, _server) = connected(&mut node);
    while node.take().is_some() {}
    node.reactor.set_timer(60_000, false);
    #[cfg(target_os = "linux")]
    node.reactor.descriptor().unwrap();
    host.block_on(async move {
        call(&mut node, peer, &[7; 60_000], 5_000);
        node.settle(true);
        let refusal = node.turn(Some(Duration::ZERO)).unwrap_err().to_string();
        assert!(refusal.contains("inside a tokio runtime"), "{refusal}");
        drop(node);
    });
}

#[test]
fn on_a_hosts_blocking_thread_a_turn_is_refused_without_sending_anybody_there() {
    let host = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refusal = host.spawn_blocking(|| {
        let mut node = Node::default();
        listen(&mut node);
        node.turn(Some(Duration::ZERO)).unwrap_err().to_string()
    });
    let refusal = host.block_on(refusal).unwrap();
    assert!(refusal.contains("a thread of its own"), "{refusal}");
    assert!(!refusal.contains("blocking"), "{refusal}");
}

#[test]
fn a_node_that_only_sleeps_never_makes_a_runtime() {
    let host = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // With a runtime of its own, the turns below would be refused in here.
    host.block_on(async {
        let mut node = Node::default();
        node.reactor.set_timer(5, false);
        assert!(node.is_alive());
        until(&mut node, |_, event| matches!(event, Event::Awake { .. }).then_some(()));
        assert!(!node.is_alive());
    });
}
