//! Connecting to an address: lookup, then every address in turn until one answers.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;
use super::errno::reason;
use super::resolver::Resolver;

/// Connects, and says to which address; or says why not, with the address in the reason.
///
/// A name with several addresses gives each but the last an equal part of `patience`, so that a
/// silent first one leaves time for the others. The last, or only, address may take as long as
/// somebody waits: whoever gives up drops this future.
pub async fn dial(
    address: Address,
    resolver: Resolver,
    patience: Duration,
) -> Result<(TcpStream, SocketAddr), String> {
    let candidates: Vec<SocketAddr> = match &address {
        Address::Socket(socket) => vec![*socket],
        Address::Name { host, port } => resolver
            .lookup(host)
            .await
            .map_err(|why| format!("lookup {host}: {why}"))?
            .into_iter()
            .map(|ip| SocketAddr::new(ip, *port))
            .collect(),
    };
    let share = patience / u32::try_from(candidates.len().max(1)).unwrap_or(u32::MAX);
    let mut last = String::new();
    let mut left = candidates.len();
    for candidate in candidates {
        left -= 1;
        let attempt = TcpStream::connect(candidate);
        let outcome = match left {
            0 => attempt.await.map_err(|error| reason(&error)),
            _ => match timeout(share, attempt).await {
                Ok(outcome) => outcome.map_err(|error| reason(&error)),
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
