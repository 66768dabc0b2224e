//! The way to etcd: one connection for all that a registry does, to one of its endpoints at a time.
//!
//! Where that fails the next one is tried. The crate could balance over all of them, but then a request
//! may go to one that is down while others are up.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use etcd_client::{Channel, Client, ConnectOptions, Error};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tonic::codegen::http::Uri;
use tonic::transport;
use tower::service_fn;

use crate::net::address::Address;
use crate::net::balance::dice;
use crate::net::dial::connect;
use crate::net::endpoint::Endpoint;
use crate::net::errno;
use crate::net::resolver::Resolver;
use crate::net::transport::Transport;
use crate::reason::Reason;

/// An etcd that is silent for so long is asked whether it is still there, and has so long to say so. It
/// closes the connections of those who ask more often than every 5 s.
const PROBE: Duration = Duration::from_secs(10);
const PROBE_PATIENCE: Duration = Duration::from_secs(5);

/// Where and how etcd is to be reached.
pub struct Line {
    endpoints: Vec<Address>,
    transport: transport::Endpoint,
    options: ConnectOptions,
    /// How long one operation may take, over all endpoints.
    patience: Duration,
    resolver: Resolver,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Counts the connections: the endpoints take turns.
    turn: usize,
    client: Option<Client>,
}

impl Line {
    /// A line that has not connected yet; what is wrong with an endpoint, if anything.
    pub fn new(
        endpoints: &[String],
        user: Option<(String, String)>,
        patience: Duration,
        resolver: Resolver,
    ) -> Result<Line, String> {
        // Where it leads to is for us to say.
        let transport = transport::Endpoint::from_static("http://etcd")
            .http2_keep_alive_interval(PROBE)
            .keep_alive_timeout(PROBE_PATIENCE)
            .keep_alive_while_idle(true);
        // A member that is cut off from the others would answer with what it knew.
        let mut options = ConnectOptions::new().with_require_leader(true);
        if let Some((name, password)) = user {
            options = options.with_user(name, password);
        }
        let endpoints = endpoints.iter().map(|text| read(text)).collect::<Result<_, _>>()?;
        Ok(Line { endpoints, transport, options, patience, resolver, state: Mutex::default() })
    }

    /// How long one operation may take.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Does something with etcd, through each endpoint once until it is done. Also says by which turn,
    /// for [`pass_on`](Self::pass_on).
    pub(super) async fn attempt<T, W, F>(&self, work: W) -> Result<(usize, T), Reason>
    where
        W: Fn(Client) -> F,
        F: Future<Output = Result<T, Error>>,
    {
        let end = Instant::now() + self.patience;
        let mut last = Reason::Timeout;
        for left in (1..=self.endpoints.len()).rev() {
            let share = end.saturating_duration_since(Instant::now())
                / u32::try_from(left).unwrap_or(u32::MAX);
            let (turn, known) = self.turn();
            let Some(endpoint) = self.endpoints.get(turn % self.endpoints.len()) else { break };
            let whole = async {
                let client = match known {
                    Some(client) => client,
                    None => self.connect(turn, endpoint).await?,
                };
                work(client).await.map_err(words)
            };
            last = match timeout(share, whole).await {
                Ok(Ok(value)) => return Ok((turn, value)),
                Ok(Err(why)) => format!("etcd {endpoint}: {why}").into(),
                Err(_) => Reason::Timeout,
            };
            self.pass_on(turn);
        }
        Err(last)
    }

    /// The connection of that turn is no good: the next one is made to the next endpoint. Others may have
    /// found out first.
    pub(super) fn pass_on(&self, turn: usize) {
        let mut state = self.state.lock();
        if state.turn == turn {
            state.turn = turn.wrapping_add(1);
            state.client = None;
            self.resolver.forget();
        }
    }

    fn turn(&self) -> (usize, Option<Client>) {
        let state = self.state.lock();
        (state.turn, state.client.clone())
    }

    /// Makes the connection of a turn, for all, unless somebody else was faster. It is dialled with the first
    /// request, and again after it was lost.
    async fn connect(&self, turn: usize, endpoint: &Address) -> Result<Client, String> {
        let (endpoint, resolver) = (endpoint.clone(), self.resolver.clone());
        let dial = move |_: Uri| {
            let (endpoint, resolver) = (endpoint.clone(), resolver.clone());
            async move {
                let dialled = reach(&endpoint, &resolver).await;
                dialled.map(TokioIo::new).map_err(io::Error::other)
            }
        };
        let channel = self.transport.connect_with_connector_lazy(service_fn(dial));
        let client = Client::from_channel(Channel::Tonic(channel), Some(self.options.clone()))
            .await
            .map_err(words)?;
        let mut state = self.state.lock();
        if state.turn == turn {
            return Ok(state.client.get_or_insert(client).clone());
        }
        Ok(client)
    }
}

/// Connects. The crate would look names up in a thread, and write in a way that raises SIGPIPE.
async fn reach(endpoint: &Address, resolver: &Resolver) -> Result<Transport, String> {
    let remote = match endpoint {
        Address::Endpoint(remote) => remote.clone(),
        Address::Name { host, port } => {
            let found = resolver.addresses(host).await?;
            let ip = found.first().ok_or("no address found")?;
            SocketAddr::new(*ip, *port).into()
        }
        // `read` lets none in.
        Address::Service(name) => return Err(format!("{name} is no address")),
    };
    connect(&remote, None).await
}

fn read(text: &str) -> Result<Address, String> {
    match text.parse() {
        Ok(address @ (Address::Endpoint(Endpoint::Net(_)) | Address::Name { .. })) => Ok(address),
        _ => {
            Err(format!(r#"bad endpoint {text:?}: wanted "ip:port", "[ipv6]:port" or "name:port""#))
        }
    }
}

/// An error in the shortest words that say what is wrong.
pub(super) fn words(error: Error) -> String {
    let status = match error {
        Error::GRpcStatus(status) => status,
        other => return innermost(&other).unwrap_or_else(|| other.to_string()),
    };
    innermost(&status).unwrap_or_else(|| match status.message() {
        "" => status.code().to_string(),
        message => message.to_owned(),
    })
}

/// What the system says, if that is at the bottom of an error.
fn innermost(error: &impl std::error::Error) -> Option<String> {
    let mut next = error.source();
    while let Some(inner) = next {
        if let Some(system) = inner.downcast_ref::<io::Error>() {
            return Some(errno::reason(system));
        }
        next = inner.source();
    }
    None
}

/// The times between tries: longer with each failure, and by chance, since all nodes lose etcd at once.
#[derive(Default)]
pub(super) struct Pause {
    failures: u32,
}

impl Pause {
    const FIRST: u64 = 50;
    const LONGEST: u64 = 2000;
    /// What lasts so long has gone well.
    const WELL: Duration = Duration::from_secs(5);

    /// Waits for the next try.
    pub(super) async fn rest(&mut self) {
        let most = (Self::FIRST << self.failures.min(10)).min(Self::LONGEST);
        self.failures += 1;
        let half = most / 2;
        sleep(Duration::from_millis(half + dice()(half as usize) as u64)).await;
    }

    /// What was tried has gone well for so long, and then failed.
    pub(super) fn note(&mut self, lasted: Duration) {
        if lasted >= Self::WELL {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn line(endpoints: &[&str], patience: u64) -> Line {
        let endpoints: Vec<String> = endpoints.iter().map(|text| (*text).to_owned()).collect();
        Line::new(&endpoints, None, Duration::from_millis(patience), Resolver::default()).unwrap()
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    /// Asks for something, and says why it has not come.
    fn failure(line: &Line) -> Reason {
        let get = |mut client: Client| async move { client.get("x", None).await };
        run(line.attempt(get)).err().unwrap()
    }

    #[test]
    fn an_endpoint_is_an_address_of_tcp() {
        for text in ["127.0.0.1:2379", "[::1]:2379", "etcd.lan:2379"] {
            assert!(read(text).is_ok(), "{text}");
        }
        for text in ["", "127.0.0.1", "http://h:1", "unix:/x", "srv:_etcd._tcp.lan", "h:0", "a b:1"]
        {
            assert!(read(text).unwrap_err().starts_with("bad endpoint"), "{text}");
        }
    }

    #[test]
    fn each_endpoint_is_tried_once_and_the_last_reason_told() {
        let line = line(&["127.0.0.1:1", "[::1]:1", "127.0.0.1:2"], 5000);
        assert_eq!(failure(&line).as_str(), "etcd 127.0.0.1:2: Connection refused");
        assert_eq!(line.state.lock().turn, 3);
    }

    #[test]
    fn a_silent_endpoint_uses_up_its_part_of_the_time_only() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = line(&[&silent.local_addr().unwrap().to_string(), "127.0.0.1:1"], 400);
        let began = Instant::now();
        assert_eq!(failure(&line).as_str(), "etcd 127.0.0.1:1: Connection refused");
        assert!(began.elapsed() >= Duration::from_millis(200));
    }

    #[test]
    fn a_connection_is_passed_on_from_once() {
        let line = line(&["127.0.0.1:1", "127.0.0.1:2"], 100);
        line.pass_on(0);
        line.pass_on(0); // of somebody who has found out later
        assert_eq!(line.state.lock().turn, 1);
    }

    #[test]
    fn pauses_grow_until_something_has_lasted() {
        let mut pause = Pause { failures: 7 };
        pause.note(Duration::from_secs(4));
        assert_eq!(pause.failures, 7);
        pause.note(Pause::WELL);
        assert_eq!(pause.failures, 0);
    }
}
