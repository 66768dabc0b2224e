//! A node driven by hand, with raw sockets for its other end.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers are not exempt by themselves"
)]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use silly_cluster::cluster::{Ask, Kind, Message, Submitted, Terms};
use silly_cluster::net::address::parse_listen;
use silly_cluster::node::Node;
use silly_cluster::reactor::event::Event;
use silly_cluster::registry::Id;
use silly_cluster::wire::Generation;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Turns the node's loop until `wanted` makes something of an event.
pub(crate) fn until<T>(node: &mut Node, mut wanted: impl FnMut(&Node, &Event) -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        while let Some(event) = node.take() {
            if let Some(found) = wanted(node, &event) {
                return found;
            }
        }
        assert!(Instant::now() < end, "nothing of the kind has happened");
        node.turn(Some(Duration::from_millis(100))).unwrap();
    }
}

pub(crate) fn listen(node: &mut Node) -> (Id, SocketAddr) {
    let endpoint = parse_listen("127.0.0.1:0").unwrap();
    let terms = Terms::default();
    let listening = node.rooms.cluster.listen(&mut node.reactor, &endpoint, terms).unwrap();
    (listening.id, listening.local.to_string().parse().unwrap())
}

/// A handle on a raw server, connected, with the server's end of the connection.
pub(crate) fn connected(node: &mut Node) -> (Id, TcpStream) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string().parse().unwrap();
    let peer = node.rooms.cluster.open(address, Generation::One, None);
    let joined = node.rooms.cluster.join(&mut node.reactor, peer, 5_000);
    assert!(matches!(joined, Submitted::Waiting(_)));
    until(node, |_, event| matches!(event, Event::Connected { .. }).then_some(()));
    let (stream, _) = server.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    (peer, stream)
}

pub(crate) fn submit(
    node: &mut Node,
    kind: Kind,
    peer: Id,
    data: &[u8],
    timeout: u64,
) -> Submitted {
    let message = Message { cmd: 0x0102_0305, trace: 0x1122_3344_5566_7788, data };
    let ask = Ask { kind, peer, in_handler: false, timeout };
    node.rooms.cluster.submit(&mut node.reactor, ask, &message)
}

pub(crate) fn call(node: &mut Node, peer: Id, data: &[u8], timeout: u64) -> Id {
    match submit(node, Kind::Call, peer, data, timeout) {
        Submitted::Waiting(request) => request,
        other => panic!("{other:?}"),
    }
}
