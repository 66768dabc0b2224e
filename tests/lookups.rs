//! Lookups without Lua: they end once, in time, and leave nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers are not exempt by themselves")]

use std::net::UdpSocket;
use std::time::Duration;

use silly_cluster::lookups::Answer;
use silly_cluster::net::record::Kind;
use silly_cluster::node::Node;
use silly_cluster::reactor::event::Event;
use silly_cluster::reason::Reason;
use silly_cluster::registry::Id;

/// A node whose name server says nothing for as long as the socket lives.
fn node() -> (Node, UdpSocket) {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut node = Node::default();
    node.reactor.set_name_servers(vec![silent.local_addr().unwrap()]);
    (node, silent)
}

fn start(node: &mut Node, name: &str, timeout: u64) -> Id {
    let Node { rooms, reactor, .. } = node;
    rooms.lookups.start(reactor, name.to_owned(), Kind::A, timeout).unwrap()
}

/// The next lookup that is over, and its answer.
fn next(node: &mut Node) -> (Id, Answer) {
    loop {
        if let Some(event) = node.take() {
            let Event::LookedUp { lookup } = event else { panic!("{event:?}") };
            return (lookup, node.rooms.lookups.take().unwrap());
        }
        assert!(node.is_alive());
        node.turn(None).unwrap();
    }
}

#[test]
fn a_lookup_ends_at_its_deadline_and_frees_its_slot() {
    let (mut node, _silent) = node();
    let began = node.reactor.now();
    let long = start(&mut node, "long.test", 120);
    let short = start(&mut node, "short.test", 20);
    assert_eq!(next(&mut node), (short, Err(Reason::Timeout)));
    assert!(node.reactor.now() >= began + 20);
    assert_eq!(next(&mut node), (long, Err(Reason::Timeout)));
    assert!(node.reactor.now() >= began + 120);
    assert!(!node.is_alive());
    assert!(node.rooms.lookups.take().is_none());
    assert!(start(&mut node, "third.test", 20).slot() < 2);
}

#[test]
fn answers_that_need_no_server_come_at_once() {
    let (mut node, _silent) = node();
    let lookup = start(&mut node, "LocalHost", 10_000);
    let (ended, answer) = next(&mut node);
    assert_eq!(ended, lookup);
    let found: Vec<String> = answer.unwrap().iter().map(|record| record.to_string()).collect();
    assert!(found.contains(&"127.0.0.1".to_owned()), "{found:?}");

    start(&mut node, "not..a.name", 10_000);
    let (_, answer) = next(&mut node);
    assert!(answer.unwrap_err().as_str().starts_with("bad name: "));
    assert!(node.reactor.now() < 5_000);
}

#[test]
fn the_end_of_the_node_does_not_wait_for_lookups() {
    let (mut node, _silent) = node();
    start(&mut node, "a.test", 10_000);
    node.turn(Some(Duration::ZERO)).unwrap();
    node.shutdown(Duration::from_secs(5)).unwrap();
    assert!(node.reactor.now() < 4_000);
    assert!(!node.is_alive());
    assert!(node.take().is_none());
}
