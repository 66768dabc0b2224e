//! Asking name servers, the first before the second, and without waiting long for a silent one.
//!
//! hickory asks all of them at once or hardly ever gets to the second: with one request at a time
//! a silent server uses up the time of the whole question. So each server has a hickory resolver
//! of its own, with a cache of its own, and the order is kept here: the next one is asked when the
//! one before has failed, or has been silent for a moment. That one may still answer; the first
//! verdict counts.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::Name;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::errno;
use super::record::{Kind, Record};

/// A server that has said nothing for so long is not waited for before the next one is asked.
/// Answers from afar take half of it; a dial of a second still gets to the second server, and to
/// its peer.
const PATIENCE: Duration = Duration::from_millis(400);

/// A server that was silent is asked last for so long: each question would cost the time above.
const PROBATION: Duration = Duration::from_secs(30);

/// One round of asking one server: three datagrams in the first second, then it is begun anew, for
/// as long as somebody waits. Whoever answers later than this has the answer ready by then.
const ROUND: Duration = Duration::from_secs(2);

/// A denial is kept for so long at most, whatever it says: names of a cluster appear while others
/// already ask for them.
const DENIAL: Duration = Duration::from_secs(2);

/// A quick failure, such as an answer that says so, is tried once more.
const RETRIES: usize = 1;

/// Why there are no records.
#[derive(Debug)]
enum Verdict {
    /// The name servers have answered, and that is that.
    Final(String),
    /// This one could not say; another may.
    Failure(String),
}

struct Server {
    resolver: TokioResolver,
    /// When it was silent last.
    silent: Mutex<Option<Instant>>,
}

/// The servers to ask, in order.
pub(super) struct NameServers {
    servers: Vec<Arc<Server>>,
}

impl NameServers {
    /// Those of the system's configuration; `None` where it has no usable one, and the reason where
    /// that cannot be said now. The timing that it may set is not taken over: ours keeps to the
    /// deadlines of those who ask.
    pub(super) fn of_system() -> Result<Option<NameServers>, String> {
        let (config, options) = match hickory_resolver::system_conf::read_system_conf() {
            Ok(read) => read,
            Err(NetError::Io(error)) if errno::is_shortage(&error) => {
                return Err(errno::reason(&error));
            }
            Err(_) => return Ok(None),
        };
        let (domain, search, servers) = config.into_parts();
        let each = servers
            .into_iter()
            .map(|server| ResolverConfig::from_parts(domain.clone(), search.clone(), vec![server]));
        Ok(NameServers::build(each, &options))
    }

    /// These, for names as they are: the system's search list belongs to the system's servers.
    pub(super) fn at(addresses: &[SocketAddr]) -> Option<NameServers> {
        let each = addresses.iter().map(|address| {
            let mut server = NameServerConfig::udp_and_tcp(address.ip());
            for connection in &mut server.connections {
                connection.port = address.port();
            }
            ResolverConfig::from_parts(None, Vec::new(), vec![server])
        });
        NameServers::build(each, &ResolverOpts::default())
    }

    fn build(
        each: impl Iterator<Item = ResolverConfig>,
        options: &ResolverOpts,
    ) -> Option<NameServers> {
        let servers = each
            .map(|config| {
                let provider = TokioRuntimeProvider::default();
                let mut builder = TokioResolver::builder_with_config(config, provider);
                let own = builder.options_mut();
                *own = options.clone();
                own.timeout = ROUND;
                own.attempts = RETRIES;
                own.negative_max_ttl = Some(DENIAL);
                own.use_hosts_file = ResolveHosts::Never; // the resolver has looked there
                let resolver = builder.build().ok()?;
                Some(Arc::new(Server { resolver, silent: Mutex::default() }))
            })
            .collect::<Option<Vec<_>>>()?;
        (!servers.is_empty()).then_some(NameServers { servers })
    }

    /// Asks anew what has been asked before.
    pub(super) fn forget(&self) {
        for server in &self.servers {
            server.resolver.clear_cache();
        }
    }

    /// What a name stands for. Silence never ends this; whoever waits gives up by dropping it.
    pub(super) async fn ask(&self, name: &Name, kind: Kind) -> Result<Vec<Record>, String> {
        let mut next = self.order().into_iter();
        let mut asked = JoinSet::new();
        let mut last = String::new();
        loop {
            let turn = next.next();
            if let Some(server) = &turn {
                let (server, name) = (Arc::clone(server), name.clone());
                asked.spawn(async move {
                    let outcome = question(&server.resolver, name, kind).await;
                    (server, outcome)
                });
            }
            let ended = match (turn, next.len()) {
                (Some(server), 1..) => match timeout(PATIENCE, asked.join_next()).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        *server.silent.lock() = Some(Instant::now());
                        continue;
                    }
                },
                _ => asked.join_next().await,
            };
            match ended {
                Some(Ok((server, outcome))) => match outcome {
                    Err(Verdict::Failure(why)) => last = why,
                    Err(Verdict::Final(why)) => {
                        server.acquit();
                        return Err(why);
                    }
                    Ok(found) => {
                        server.acquit();
                        return Ok(found);
                    }
                },
                Some(Err(broken)) => last = broken.to_string(),
                None => return Err(last),
            }
        }
    }

    /// The order in which to ask: as given, but those that were silent lately come last.
    fn order(&self) -> Vec<Arc<Server>> {
        let mut order = self.servers.clone();
        order.sort_by_key(|server| server.is_on_probation());
        order
    }
}

impl Server {
    fn is_on_probation(&self) -> bool {
        self.silent.lock().is_some_and(|since| since.elapsed() < PROBATION)
    }

    fn acquit(&self) {
        *self.silent.lock() = None;
    }
}

/// Why a server could not even be asked. hickory keeps the system's reason to itself, so that is
/// asked for a socket once more.
fn why_unconnected(error: &NetError) -> String {
    match UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)) {
        Err(shortage) => errno::reason(&shortage),
        Ok(_) => error.to_string(),
    }
}

/// Asks one server until it says something.
async fn question(
    resolver: &TokioResolver,
    name: Name,
    kind: Kind,
) -> Result<Vec<Record>, Verdict> {
    loop {
        let why = match resolver.lookup(name.clone(), kind.into_dns()).await {
            Ok(answer) => {
                let found: Vec<Record> = answer
                    .answers()
                    .iter()
                    .filter_map(|record| Record::from_dns(&record.data))
                    .filter(|record| record.kind() == kind)
                    .collect();
                return match found.is_empty() {
                    true => Err(Verdict::Final(kind.absence().to_owned())),
                    false => Ok(found),
                };
            }
            Err(NetError::Timeout) => continue,
            Err(error) if error.is_nx_domain() => {
                return Err(Verdict::Final("no such name".to_owned()));
            }
            Err(error) if error.is_no_records_found() => {
                return Err(Verdict::Final(kind.absence().to_owned()));
            }
            Err(NetError::Dns(DnsError::ResponseCode(code))) => {
                format!("the name server says: {code}")
            }
            Err(NetError::Io(error)) => errno::reason(&error),
            Err(error @ NetError::NoConnections) => why_unconnected(&error),
            Err(NetError::Proto(error)) => format!("malformed answer: {error}"),
            Err(error) => error.to_string(),
        };
        return Err(Verdict::Failure(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UdpSocket;

    fn run(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work);
    }

    /// The order, as places in the list.
    fn order(servers: &NameServers) -> Vec<Option<usize>> {
        let place = |one| servers.servers.iter().position(|server| Arc::ptr_eq(server, one));
        servers.order().iter().map(place).collect()
    }

    #[test]
    fn the_next_is_asked_beside_a_silent_one_which_then_comes_last() {
        run(async {
            let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let denying = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let addresses = [silent.local_addr().unwrap(), denying.local_addr().unwrap()];
            let servers = NameServers::at(&addresses).unwrap();
            assert_eq!(order(&servers), [Some(0), Some(1)]);
            let name = Name::from_ascii("x.test.").unwrap();
            let began = Instant::now();
            let answered = tokio::spawn(async move {
                let mut query = [0; 512];
                let (size, from) = denying.recv_from(&mut query).await.unwrap();
                query[2..4].copy_from_slice(&[0x81, 0x83]); // a response: no such name
                denying.send_to(&query[..size], from).await.unwrap();
            });
            assert_eq!(servers.ask(&name, Kind::A).await, Err("no such name".to_owned()));
            answered.await.unwrap();
            assert!(began.elapsed() >= PATIENCE);
            assert_eq!(order(&servers), [Some(1), Some(0)]);
            // Whoever answers again is as good as before.
            servers.servers[0].acquit();
            assert_eq!(order(&servers), [Some(0), Some(1)]);
        });
    }

    #[test]
    fn without_servers_there_is_nobody_to_ask() {
        assert!(NameServers::at(&[]).is_none());
    }
}
