//! Connecting to an address: lookup, then every address in turn until one answers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::timeout;

use super::address::Address;
use super::endpoint::Endpoint;
use super::errno::reason;
use super::record::Service;
use super::resolver::Resolver;
use super::tls::Credentials;
use super::transport::Transport;

/// How dials are made.
pub struct Dialer {
    pub resolver: Resolver,
    /// How long somebody waits, as far as is known.
    pub patience: Duration,
    /// With TLS, or without.
    pub tls: Option<Arc<Credentials>>,
}

impl Dialer {
    /// Connects, and says to which address; or says why not, with the address in the reason.
    ///
    /// Several addresses have an equal part of the patience each, so that a silent first one leaves time for
    /// the others. The last, or only, address may take as long as somebody waits: whoever gives up drops this
    /// future. When none is any good, or somebody gives up, name servers are asked anew the next time,
    /// whatever they have said of how long their answer holds.
    pub async fn dial(self, address: Address) -> Result<(Transport, Endpoint), String> {
        match address {
            Address::Endpoint(endpoint) => {
                let host = match &endpoint {
                    Endpoint::Net(address) => address.ip().to_canonical().to_string(),
                    Endpoint::Unix(_) => "localhost".to_owned(),
                };
                self.knock(endpoint, &host).await
            }
            Address::Name { host, port } => self.dial_name(&host, port, self.patience).await,
            Address::Service(name) => self.dial_service(&name).await,
        }
    }

    /// Connects to a service, to the first of its targets that is any good.
    async fn dial_service(&self, name: &str) -> Result<(Transport, Endpoint), String> {
        let found = self.resolver.services(name).await;
        let services = found.map_err(|why| format!("lookup {name}: {why}"))?;
        let doubt = Doubt { resolver: &self.resolver };
        let mut turns = Turns::new(services.len(), self.patience);
        for service in services {
            let Service { port, target, .. } = service;
            let attempt = self.dial_name(&target, port, turns.share);
            if let Some(connected) = turns.take(&format!("connect {target}:{port}"), attempt).await
            {
                doubt.dispel();
                return Ok(connected);
            }
        }
        Err(turns.last)
    }

    /// Connects to a name, to the first of its addresses that is any good.
    async fn dial_name(
        &self,
        host: &str,
        port: u16,
        patience: Duration,
    ) -> Result<(Transport, Endpoint), String> {
        let found = self.resolver.addresses(host).await;
        let found = found.map_err(|why| format!("lookup {host}: {why}"))?;
        let doubt = Doubt { resolver: &self.resolver };
        let mut turns = Turns::new(found.len(), patience);
        for ip in found {
            let endpoint = Endpoint::from(SocketAddr::new(ip, port));
            let what = format!("connect {endpoint}");
            if let Some(connected) = turns.take(&what, self.knock(endpoint, host)).await {
                doubt.dispel();
                return Ok(connected);
            }
        }
        Err(turns.last)
    }

    /// Connects to one address of a host, which the reason of a failure names.
    async fn knock(&self, endpoint: Endpoint, host: &str) -> Result<(Transport, Endpoint), String> {
        let secured = async {
            let plain = connect(&endpoint, None).await?;
            match &self.tls {
                None => Ok(plain),
                Some(tls) => tls.connect(plain, host).await.map_err(|why| format!("tls: {why}")),
            }
        };
        match secured.await {
            Ok(stream) => Ok((stream, endpoint)),
            Err(why) => Err(format!("connect {endpoint}: {why}")),
        }
    }
}

/// What name servers have said and nobody has connected by yet. It is forgotten with this, also where a dial
/// is given up: an address that says nothing ends in no other way.
struct Doubt<'a> {
    resolver: &'a Resolver,
}

impl Doubt<'_> {
    /// It was of use.
    fn dispel(self) {
        std::mem::forget(self);
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        self.resolver.forget();
    }
}

/// Several attempts, one after the other.
struct Turns {
    left: usize,
    /// The time of each but the last.
    share: Duration,
    /// Why the last one failed.
    last: String,
}

impl Turns {
    fn new(count: usize, patience: Duration) -> Turns {
        let share = patience / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        Turns { left: count, share, last: String::new() }
    }

    /// Takes the next one; nothing when it has failed.
    async fn take<T>(
        &mut self,
        what: &str,
        attempt: impl Future<Output = Result<T, String>>,
    ) -> Option<T> {
        self.left = self.left.saturating_sub(1);
        let outcome = match self.left {
            0 => attempt.await,
            _ => timeout(self.share, attempt)
                .await
                .unwrap_or_else(|_| Err(format!("{what}: no answer in its share of the time"))),
        };
        outcome.map_err(|why| self.last = why).ok()
    }
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
