//! Names to addresses and services: the hosts file, then name servers.
//!
//! All of it is made at the first name that is looked up, because reading the system's
//! configuration costs time and memory that a program with literal addresses should not pay. A
//! system without a usable configuration is asked through its own getaddrinfo instead; a public
//! server is never asked, since the names of a cluster are nobody else's business.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::Hosts;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::Name;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::balance::{by_weight, shuffle};
use super::errno;
use super::name_servers::NameServers;
use super::record::{Kind, Record, Service};

/// So many names are asked for at once; each takes a descriptor or several.
const CROWD: usize = 64;

/// Once the IPv4 addresses of a name are known, its IPv6 ones have so long to come: there are
/// servers that answer for the former and are silent about the latter.
const GRACE: Duration = Duration::from_millis(200);

/// A cheap handle on one runtime's resolver and its cache.
#[derive(Clone, Default)]
pub struct Resolver {
    state: Arc<Mutex<State>>,
}

struct State {
    /// Where to ask instead of where the system says; empty: ask there.
    servers: Vec<SocketAddr>,
    sources: Option<Arc<Sources>>,
    turns: Arc<Semaphore>,
}

impl Default for State {
    fn default() -> State {
        State { servers: Vec::new(), sources: None, turns: Arc::new(Semaphore::new(CROWD)) }
    }
}

/// Where names are looked up.
struct Sources {
    hosts: Hosts,
    /// None: the system's own resolver is asked.
    servers: Option<NameServers>,
    turns: Arc<Semaphore>,
}

impl Resolver {
    /// Sets the servers to ask, in order; none: those of the system. What is asked from now on
    /// knows nothing of earlier answers.
    pub fn set_servers(&self, servers: Vec<SocketAddr>) {
        let mut state = self.state.lock();
        state.servers = servers;
        state.sources = None;
    }

    /// Every address of a name, IPv4 first, and of each kind in any order; the reason when there is none.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let mut found = self.sources()?.addresses(&parse(name)?).await?;
        shuffle(&mut found);
        found.sort_by_key(|record| record.kind() != Kind::A);
        Ok(found.iter().filter_map(Record::ip).collect())
    }

    /// The services of a name in the order in which they are to be tried; the reason when there is none.
    pub async fn services(&self, name: &str) -> Result<Vec<Service>, String> {
        let found = self.sources()?.records(&parse(name)?, Kind::Srv).await?;
        let services = found.into_iter().filter_map(|record| match record {
            Record::Srv(service) => Some(service),
            Record::A(_) | Record::Aaaa(_) => None,
        });
        Ok(by_weight(services.collect()))
    }

    /// Nothing that was found was of any use: name servers are asked anew the next time.
    pub fn forget(&self) {
        if let Some(servers) =
            self.state.lock().sources.as_ref().and_then(|known| known.servers.as_ref())
        {
            servers.forget();
        }
    }

    /// What a name stands for, at least one record; the reason when there is none.
    pub async fn records(&self, name: &str, kind: Kind) -> Result<Vec<Record>, String> {
        let mut found = self.sources()?.records(&parse(name)?, kind).await?;
        // Whoever takes the first service gets one that is to be tried first.
        found.sort_by_key(|record| match record {
            Record::Srv(service) => service.priority,
            _ => 0,
        });
        Ok(found)
    }

    /// What is made without a descriptor to read files with would be kept for good, so there is
    /// nothing then but the reason.
    fn sources(&self) -> Result<Arc<Sources>, String> {
        let mut state = self.state.lock();
        if let Some(known) = &state.sources {
            return Ok(Arc::clone(known));
        }
        let servers = match state.servers.is_empty() {
            true => NameServers::of_system()?,
            false => NameServers::at(&state.servers),
        };
        let hosts = match Hosts::from_system() {
            Err(error) if errno::is_shortage(&error) => return Err(errno::reason(&error)),
            hosts => hosts.unwrap_or_default(),
        };
        let sources = Arc::new(Sources { hosts, servers, turns: Arc::clone(&state.turns) });
        // A system without servers may only be without them for now: that is not remembered.
        if sources.servers.is_some() {
            state.sources = Some(Arc::clone(&sources));
        }
        Ok(sources)
    }
}

/// Case means nothing in a name.
fn parse(name: &str) -> Result<Name, String> {
    Name::from_utf8(name.to_ascii_lowercase()).map_err(|error| format!("bad name: {error}"))
}

impl Sources {
    async fn records(&self, name: &Name, kind: Kind) -> Result<Vec<Record>, String> {
        let listed = self.listed(name, kind);
        if !listed.is_empty() {
            return Ok(listed);
        }
        let _turn = self.turns.acquire().await;
        match &self.servers {
            Some(servers) => servers.ask(name, kind).await,
            None if kind == Kind::Srv => Err("the system has no name servers".to_owned()),
            None => {
                let mut found = ask_system(name.to_ascii()).await?;
                found.retain(|record| record.kind() == kind);
                match found.is_empty() {
                    true => Err(kind.absence().to_owned()),
                    false => Ok(found),
                }
            }
        }
    }

    async fn addresses(self: &Arc<Self>, name: &Name) -> Result<Vec<Record>, String> {
        let mut listed = self.listed(name, Kind::A);
        listed.extend(self.listed(name, Kind::Aaaa));
        if !listed.is_empty() {
            return Ok(listed); // name servers need not know what the hosts file says
        }
        if self.servers.is_none() {
            let _turn = self.turns.acquire().await;
            let mut found = ask_system(name.to_ascii()).await?;
            found.sort_by_key(|record| record.kind() != Kind::A);
            return Ok(found);
        }
        let mut later = JoinSet::new();
        later.spawn({
            let (sources, name) = (Arc::clone(self), name.clone());
            async move { sources.records(&name, Kind::Aaaa).await }
        });
        match self.records(name, Kind::A).await {
            Ok(mut found) => {
                if let Ok(Some(Ok(Ok(rest)))) = timeout(GRACE, later.join_next()).await {
                    found.extend(rest);
                }
                Ok(found)
            }
            Err(why) => match later.join_next().await {
                Some(Ok(Ok(found))) => Ok(found),
                _ => Err(why),
            },
        }
    }

    /// What the hosts file says.
    fn listed(&self, name: &Name, kind: Kind) -> Vec<Record> {
        let mut name = name.clone();
        name.set_fqdn(true);
        let listed = self.hosts.lookup_static_host(&Query::query(name, kind.into_dns()));
        listed
            .iter()
            .flat_map(|listed| listed.answers())
            .filter_map(|record| Record::from_dns(&record.data))
            .collect()
    }
}

/// The system's own way. getaddrinfo blocks, so it gets a thread of its own, which ends with its
/// answer. tokio's pool is not used: its threads would stay, and closing the runtime would wait for
/// a stuck lookup.
async fn ask_system(host: String) -> Result<Vec<Record>, String> {
    let (answer, wait) = oneshot::channel();
    std::thread::Builder::new()
        .name("silly-getaddrinfo".to_owned())
        .spawn(move || {
            let found: Result<Vec<Record>, String> = (host.as_str(), 0)
                .to_socket_addrs()
                .map(|all| all.map(|one| Record::from_ip(one.ip())).collect())
                .map_err(|error| errno::reason(&error));
            // Nobody listens when the lookup was given up meanwhile.
            let _ = answer.send(found);
        })
        .map_err(|error| errno::reason(&error))?;
    match wait.await {
        Ok(Ok(found)) if found.is_empty() => Err(Kind::A.absence().to_owned()),
        Ok(found) => found,
        Err(_) => Err("the lookup was abandoned".to_owned()),
    }
}
