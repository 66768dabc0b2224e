//! Names to addresses: the hosts file, then the system's name servers, IPv4 before IPv6.
//!
//! The resolver is built at the first name that is looked up, because reading the system's
//! configuration costs time and memory that a program with literal addresses should not pay. A
//! system without a usable configuration is asked through its own getaddrinfo instead; a public
//! server is never asked, since the names of a cluster are nobody else's business.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The name is known, but not with an address.
const NO_ADDRESS: &str = "no address found";

/// A cheap handle on one runtime's resolver and its cache.
#[derive(Clone, Default)]
pub struct Resolver {
    hickory: Arc<Mutex<Option<TokioResolver>>>,
}

impl Resolver {
    /// Every address of `host`, IPv4 first; the reason when there is none.
    pub async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let mut found: Vec<IpAddr> = match self.hickory() {
            Some(resolver) => match resolver.lookup_ip(host).await {
                Ok(answer) => answer.iter().collect(),
                Err(error) if error.is_nx_domain() => return Err("no such name".to_owned()),
                Err(error) if error.is_no_records_found() => return Err(NO_ADDRESS.to_owned()),
                Err(error) => return Err(error.to_string()),
            },
            None => ask_system(host).await?,
        };
        found.sort_by_key(IpAddr::is_ipv6);
        match found.is_empty() {
            true => Err(NO_ADDRESS.to_owned()),
            false => Ok(found),
        }
    }

    /// Built at the first call that can: a failure may be a passing one, and is not remembered.
    fn hickory(&self) -> Option<TokioResolver> {
        let mut hickory = self.hickory.lock();
        if hickory.is_none() {
            *hickory = build();
        }
        hickory.clone()
    }
}

/// `None` where the system has no usable configuration, or gives nothing to read it with.
fn build() -> Option<TokioResolver> {
    let mut builder = TokioResolver::builder_tokio().ok()?;
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build().ok()
}

/// getaddrinfo blocks, so it gets a thread of its own, which ends with its answer. tokio's pool is
/// not used: its threads would stay, and closing the runtime would wait for a stuck lookup.
async fn ask_system(host: &str) -> Result<Vec<IpAddr>, String> {
    let (answer, wait) = oneshot::channel();
    let host = host.to_owned();
    std::thread::Builder::new()
        .name("silly-getaddrinfo".to_owned())
        .spawn(move || {
            let found = (host.as_str(), 0)
                .to_socket_addrs()
                .map(|all| all.map(|one| one.ip()).collect())
                .map_err(|error| super::errno::reason(&error));
            // Nobody listens when the dial was given up meanwhile.
            let _ = answer.send(found);
        })
        .map_err(|error| super::errno::reason(&error))?;
    wait.await.unwrap_or_else(|_| Err("the lookup was abandoned".to_owned()))
}
