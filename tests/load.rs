//! A node under load: crowds of calls, numbers that wrap, connections that would take it all.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers are not exempt by themselves"
)]

mod support;

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use silly_cluster::cluster::limits::Limits;
use silly_cluster::cluster::{Kind, Submitted};
use silly_cluster::node::Node;
use silly_cluster::reactor::event::Event;
use silly_cluster::reason::Reason;
use silly_cluster::registry::Id;
use silly_cluster::wire::{Generation, Wire};

/// What all of it is said in.
const WIRE: Wire = Wire { generation: Generation::One, hardlimit: 0 };

use support::{PATIENCE, call, connected, listen, submit, until};

/// What one connection may bring in one turn: `SHARE` of src/cluster/traffic.rs.
const SHARE: usize = 512;

/// What a turn reads at most.
const TURN: usize = 1024 * 1024;

/// So many requests, numbered from 0, in one piece.
fn requests(count: u32) -> Vec<u8> {
    let mut bytes = bytes::BytesMut::new();
    for session in 0..count {
        WIRE.encode_request(&mut bytes, session, 1, 0, b"").unwrap();
    }
    bytes.to_vec()
}

#[test]
fn a_flood_is_taken_in_by_shares_and_in_order_until_its_end() {
    let mut node = Node::default();
    let (_, address) = listen(&mut node);
    let mut flood = TcpStream::connect(address).unwrap();
    flood.write_all(&requests(3_000)).unwrap();
    flood.shutdown(Shutdown::Write).unwrap();
    let mut sessions = Vec::new();
    let mut closed = false;
    while !closed {
        node.turn(None).unwrap();
        let before = sessions.len();
        while let Some(event) = node.take() {
            match event {
                Event::Request { session, .. } => sessions.push(session),
                Event::Closed { errno, .. } => {
                    assert_eq!(errno, 0);
                    closed = true;
                }
                _ => {}
            }
        }
        assert!(sessions.len() - before <= SHARE, "{} in one turn", sessions.len() - before);
    }
    assert!(sessions.iter().copied().eq(0..3_000), "{} came", sessions.len());
}

#[test]
fn frames_put_off_are_not_taken_for_half_a_frame() {
    const PATIENCE: Duration = Duration::from_millis(20);
    let mut node = Node::default();
    node.rooms.cluster.set_limits(Limits { keepalive: Some(PATIENCE), ..Limits::default() });
    let (_, address) = listen(&mut node);
    let mut client = TcpStream::connect(address).unwrap();
    let frames = requests(2_000);
    let (half, rest) = frames.split_at(7);
    client.write_all(half).unwrap();
    // The half is taken in, and its rest is waited for.
    until(&mut node, |_, event| matches!(event, Event::Accepted { .. }).then_some(()));
    node.turn(Some(Duration::ZERO)).unwrap();
    std::thread::sleep(2 * PATIENCE);
    client.write_all(rest).unwrap();
    // Its time is up, its rest is there, and most of what came with that is put off.
    let mut left = 2_000;
    until(&mut node, |_, event| {
        assert!(!matches!(event, Event::Closed { .. } | Event::Log { .. }), "{event:?}");
        left -= i32::from(matches!(event, Event::Request { .. }));
        (left == 0).then_some(())
    });
}

#[test]
fn what_nobody_is_told_of_does_not_fill_the_turn() {
    let mut node = Node::default();
    let (_, address) = listen(&mut node);
    let mut clients = [(); 2].map(|()| {
        let client = TcpStream::connect(address).unwrap();
        until(&mut node, |_, event| matches!(event, Event::Accepted { .. }).then_some(()));
        client
    });
    // More answers to nothing than a turn reads, and then a question.
    let mut strays = bytes::BytesMut::new();
    while strays.len() < 8 * TURN {
        WIRE.encode_response(&mut strays, 7, &[7; 1_000]).unwrap();
    }
    let writer = std::thread::spawn(move || {
        clients[0].write_all(&strays).unwrap();
        clients[1].write_all(&requests(1)).unwrap();
        clients
    });
    // A turn goes on until there is an event, and only a new one begins with nothing read.
    let began = Instant::now();
    let event = loop {
        node.turn(Some(PATIENCE)).unwrap();
        if let Some(event) = node.take() {
            break event;
        }
    };
    assert!(matches!(event, Event::Request { .. }));
    assert!(began.elapsed() < PATIENCE);
    writer.join().unwrap();
}

#[test]
fn the_rest_of_a_frame_that_the_kernel_holds_has_come() {
    const SILENCE: Duration = Duration::from_millis(20);
    let mut node = Node::default();
    node.rooms.cluster.set_limits(Limits { keepalive: Some(SILENCE), ..Limits::default() });
    let (_, address) = listen(&mut node);
    let mut clients = [(); 40].map(|()| {
        let client = TcpStream::connect(address).unwrap();
        until(&mut node, |_, event| matches!(event, Event::Accepted { .. }).then_some(()));
        client
    });
    let frame = requests(1);
    let mut large = bytes::BytesMut::new();
    for _ in 0..3 {
        WIRE.encode_request(&mut large, 0, 1, 0, &[7; 60_000]).unwrap();
    }
    let (half, rest) = frame.split_at(7);
    let (last, others) = clients.split_last_mut().unwrap();
    last.write_all(half).unwrap();
    node.turn(Some(Duration::ZERO)).unwrap();
    // Its time is up when the node looks again, and others fill that turn.
    std::thread::sleep(2 * SILENCE);
    for client in others.iter_mut() {
        client.write_all(&large).unwrap();
    }
    last.write_all(rest).unwrap();
    until(&mut node, |_, event| {
        assert!(!matches!(event, Event::Closed { .. } | Event::Log { .. }), "{event:?}");
        matches!(event, Event::Request { data, .. } if data.size() < 1_000).then_some(())
    });
}

#[test]
fn whoever_asks_beside_a_flood_is_served_in_the_same_turn() {
    let mut node = Node::default();
    let (_, address) = listen(&mut node);
    let mut flood = TcpStream::connect(address).unwrap();
    let flooder = until(&mut node, |_, event| match event {
        Event::Accepted { peer, .. } => Some(*peer),
        _ => None,
    });
    let mut other = TcpStream::connect(address).unwrap();
    until(&mut node, |_, event| matches!(event, Event::Accepted { .. }).then_some(()));
    node.turn(Some(Duration::ZERO)).unwrap(); // from here on it waits for both
    flood.write_all(&requests(3_000)).unwrap();
    other.write_all(&requests(1)).unwrap();
    let mut before = 0;
    until(&mut node, |_, event| match event {
        Event::Request { peer, .. } if *peer != flooder => Some(()),
        Event::Request { .. } => {
            before += 1;
            None
        }
        _ => None,
    });
    assert!(before <= SHARE, "{before} came before");
}

#[test]
fn large_bodies_are_read_a_piece_a_turn_of_each_connection_and_of_all() {
    const PIECE: usize = 64 * 1024;
    let mut node = Node::default();
    let (_, address) = listen(&mut node);
    let mut frames = bytes::BytesMut::new();
    for _ in 0..4 {
        WIRE.encode_request(&mut frames, 0, 1, 0, &[7; 60_000]).unwrap();
    }
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(TcpStream::connect(address).unwrap());
        until(&mut node, |_, event| matches!(event, Event::Accepted { .. }).then_some(()));
    }
    for client in &mut clients {
        client.write_all(&frames).unwrap();
    }
    let mut left = 4 * clients.len();
    while left > 0 {
        node.turn(None).unwrap();
        let mut read = HashMap::new();
        while let Some(event) = node.take() {
            if let Event::Request { peer, data, .. } = event {
                *read.entry(peer).or_default() += data.size();
                left -= 1;
            }
        }
        // What a connection had kept of a frame comes on top.
        assert!(read.values().all(|size: &usize| *size < 2 * PIECE), "{read:?}");
        assert!(read.values().sum::<usize>() < TURN + 2 * PIECE, "{read:?}");
    }
}

/// Two nodes, connected: the one that asks with its handle, and the one that answers.
fn pair() -> (Node, Id, Node) {
    let (mut asking, mut answering) = (Node::default(), Node::default());
    let (_, address) = listen(&mut answering);
    let peer =
        asking.rooms.cluster.open(address.to_string().parse().unwrap(), Generation::One, None);
    asking.rooms.cluster.join(&mut asking.reactor, peer, 5_000);
    until(&mut asking, |_, event| matches!(event, Event::Connected { .. }).then_some(()));
    (asking, peer, answering)
}

/// A request that has arrived.
struct Asked {
    link: Id,
    session: u32,
    data: Vec<u8>,
}

/// Turns the loop until so many requests are there.
fn asked(node: &mut Node, count: usize) -> Vec<Asked> {
    let mut all = Vec::new();
    until(node, |node, event| {
        if let Event::Request { fd, session, data, .. } = event {
            let data = node.reactor.arena.get(*data).to_vec();
            all.push(Asked { link: Id::from_bits(*fd), session: *session, data });
        }
        (all.len() == count).then_some(())
    });
    all
}

/// Answers each with its own words, the last one first.
fn answer(node: &mut Node, requests: &[Asked]) {
    for Asked { link, session, data } in requests.iter().rev() {
        node.rooms.cluster.respond(&mut node.reactor, *link, *session, Some(data)).unwrap();
    }
    node.turn(Some(Duration::ZERO)).unwrap();
}

/// Turns the loop until every call has its answer, and demands that it is its own.
fn settle(node: &mut Node, mut calls: HashMap<Id, Vec<u8>>) {
    until(node, |node, event| {
        if let Event::Reply { request, data } = event {
            assert_eq!(calls.remove(request).as_deref(), Some(node.reactor.arena.get(*data)));
        }
        calls.is_empty().then_some(())
    });
}

/// So many calls, each with words of its own.
fn ask(node: &mut Node, peer: Id, name: &str, count: usize) -> HashMap<Id, Vec<u8>> {
    let mut calls = HashMap::new();
    for index in 0..count {
        let data = format!("{name} {index}").into_bytes();
        calls.insert(call(node, peer, &data, 60_000), data);
    }
    node.turn(Some(Duration::ZERO)).unwrap();
    calls
}

#[test]
fn numbers_wrap_around_calls_in_flight_and_confuse_none() {
    const LAST: u32 = 0x7fff_ffff;
    let (mut asking, peer, mut answering) = pair();
    // Calls that last hold numbers on both sides of the wrap, every other one of them: the sends
    // in between are soon forgotten.
    let mut long = HashMap::new();
    asking.rooms.cluster.skip_to_session(LAST - 200);
    for index in 0..200 {
        assert!(matches!(submit(&mut asking, Kind::Send, peer, b"", 5_000), Submitted::Sent));
        long.extend(ask(&mut asking, peer, &format!("long {index}"), 1));
    }
    let held = asked(&mut answering, 400);
    let (held, _): (Vec<_>, Vec<_>) = held.into_iter().partition(|one| !one.data.is_empty());
    let numbers: HashSet<u32> = held.iter().map(|one| one.session).collect();
    assert!(numbers.contains(&(LAST - 199)) && numbers.contains(&198));

    for round in 0..50 {
        asking.rooms.cluster.skip_to_session(LAST - 200 + 7 * round);
        let short = ask(&mut asking, peer, &format!("short {round}"), 500);
        let came = asked(&mut answering, 500);
        assert!(came.iter().all(|one| one.session <= LAST && !numbers.contains(&one.session)));
        answer(&mut answering, &came);
        settle(&mut asking, short);
    }
    answer(&mut answering, &held);
    settle(&mut asking, long);
    assert!(asking.rooms.cluster.is_idle());
}

#[test]
fn calls_that_time_out_leave_nothing_wherever_they_stood() {
    let mut node = Node::default();
    let (peer, _unread) = connected(&mut node);
    // Most of them wait for room: their other end reads nothing.
    let mut left: HashSet<Id> =
        (0..20_000_u64).map(|index| call(&mut node, peer, &[1; 1_000], 1 + index % 50)).collect();
    until(&mut node, |_, event| {
        if let Event::Failed { request, why } = event {
            assert_eq!(*why, Reason::Timeout);
            assert!(left.remove(request), "twice");
        }
        left.is_empty().then_some(())
    });
    assert!(node.take().is_none());
    assert!(node.rooms.cluster.is_idle());
    assert!(!node.reactor.has_deadlines());
}
