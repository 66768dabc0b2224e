//! A node under load: crowds of calls, numbers that wrap.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use silly_cluster::cluster::{Kind, Submitted};
use silly_cluster::node::Node;
use silly_cluster::reactor::event::Event;
use silly_cluster::reason::Reason;
use silly_cluster::registry::Id;

use support::{call, connected, listen, submit, until};

/// Two nodes, connected: the one that asks with its handle, and the one that answers.
fn pair() -> (Node, Id, Node) {
    let (mut asking, mut answering) = (Node::default(), Node::default());
    let (_, address) = listen(&mut answering);
    let peer = asking.rooms.cluster.open(address.to_string().parse().unwrap());
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
            let data = node.reactor.bytes(*data).to_vec();
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
            assert_eq!(calls.remove(request).as_deref(), Some(node.reactor.bytes(*data)));
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
