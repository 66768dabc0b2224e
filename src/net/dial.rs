//! Connecting to an address: lookup, then every address in turn until one answers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::timeout;

use super::address::Address;
use super::endpoint::Endpoint;
use super::errno::reason;
use super::resolver::Resolver;
use super::transport::Transport;

/// Connects, and says to which address; or says why not, with the address in the reason.
///
/// A name with several addresses gives each but the last an equal part of `patience`, so that a
/// silent first one leaves time for the others. The last, or only, address may take as long as
/// somebody waits: whoever gives up drops this future.
pub async fn dial(
    address: Address,
    resolver: Resolver,
    patience: Duration,
) -> Result<(Transport, Endpoint), String> {
    let candidates: Vec<Endpoint> = match address {
        Address::Endpoint(endpoint) => vec![endpoint],
        Address::Name { host, port } => resolver
            .addresses(&host)
            .await
            .map_err(|why| format!("lookup {host}: {why}"))?
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port).into())
            .collect(),
    };
    let share = patience / u32::try_from(candidates.len().max(1)).unwrap_or(u32::MAX);
    let mut last = String::new();
    let mut left = candidates.len();
    for candidate in candidates {
        left -= 1;
        let attempt = connect(&candidate, None);
        let outcome = match left {
            0 => attempt.await,
            _ => match timeout(share, attempt).await {
                Ok(outcome) => outcome,
                Err(_) => Err("no answer in its share of the time".to_owned()),
            },
        };
        match outcome {
            Ok(stream) => return Ok((stream, candidate)),
            Err(why) => last = format!("connect {candidate}: {why}"),
        }
    }
    Err(last)
}

/// Connects to one address, from `local` where that is given; or says why not, in the system's bare
/// words.
pub async fn connect(remote: &Endpoint, local: Option<SocketAddr>) -> Result<Transport, String> {
    let remote = match remote {
        Endpoint::Net(address) => *address,
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).await;
            return stream.map(Transport::Unix).map_err(|error| reason(&error));
        }
    };
    let stream = open(remote, local).await.map_err(|error| reason(&error))?;
    if is_loop(&stream, remote) {
        // Reset, so that nothing of it lingers on the port.
        let _ = stream.set_zero_linger();
        return Err("Connection refused".to_owned());
    }
    Ok(Transport::Tcp(stream))
}

async fn open(remote: SocketAddr, local: Option<SocketAddr>) -> io::Result<TcpStream> {
    let Some(local) = local else { return TcpStream::connect(remote).await };
    let socket = match remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A port whose last connection merely lingers in the kernel is free.
    socket.set_reuseaddr(true)?;
    socket.bind(local)?;
    socket.connect(remote).await
}

/// True for a connection to itself. Where nobody listens on a port that the kernel also gives out
/// to those who connect, it gives it once in many tries to the very socket that dials it; what
/// looks like a peer then is nobody, and keeps the real one from listening.
fn is_loop(stream: &TcpStream, candidate: SocketAddr) -> bool {
    stream.local_addr().is_ok_and(|local| local == candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn a_connection_to_itself_is_told_from_one_to_a_listener() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let there = listener.local_addr().unwrap();
            let stream = TcpStream::connect(there).await.unwrap();
            assert!(!is_loop(&stream, there));

            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let own = socket.local_addr().unwrap();
            let stream = socket.connect(own).await.unwrap();
            assert!(is_loop(&stream, own));
        });
    }
}
