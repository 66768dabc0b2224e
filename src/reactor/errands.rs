//! What the runtime is sent out for, as tasks of its own, since it is seldom and long: dials, handshakes
//! and lookups.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::net::address::Address;
use crate::net::dial::{Dialer, connect};
use crate::net::endpoint::Endpoint;
use crate::net::record::Kind;
#[cfg(feature = "etcd")]
use crate::net::resolver::Resolver;
use crate::net::tls::Credentials;
use crate::net::transport::Transport;
use crate::registry::Id;

use super::inbox::{Arrived, Dialed, LookedUp, Owner, Step};
use super::job::Job;
use super::{Reactor, Refusal};

impl Reactor {
    /// Starts a dial; its end arrives as [`Driver::dialed`](super::Driver::dialed) with the number
    /// returned here, unless the returned handle aborts it.
    pub fn dial(
        &mut self,
        owner: Owner,
        address: Address,
        patience: Duration,
        tls: Option<Arc<Credentials>>,
    ) -> Result<(u64, AbortHandle), Refusal> {
        let dialer = Dialer { resolver: self.resolver.clone(), patience, tls };
        // Only lookups, and several addresses of one name, have times of their own.
        let timed = !matches!(address, Address::Endpoint(_));
        self.bring(owner, dialer.dial(address), timed)
    }

    /// As [`dial`](Self::dial), to just one address, from `local` where that is given; the reason
    /// of a failure is the system's alone.
    pub fn connect(
        &mut self,
        owner: Owner,
        remote: Endpoint,
        local: Option<SocketAddr>,
    ) -> Result<(u64, AbortHandle), Refusal> {
        self.bring(owner, async move { Ok((connect(&remote, local).await?, remote)) }, false)
    }

    fn bring(
        &mut self,
        owner: Owner,
        work: impl Future<Output = Result<(Transport, Endpoint), String>> + Send + 'static,
        timed: bool,
    ) -> Result<(u64, AbortHandle), Refusal> {
        self.serial += 1;
        let job = self.serial;
        let inbox = Arc::clone(&self.inbox);
        let work = async move {
            let outcome = work.await;
            inbox.deliver(Dialed { owner, job, outcome });
        };
        Ok((job, self.spawn(work, timed)?))
    }

    /// Starts the handshake with whoever has come in, for which it has `limit`; what becomes of it
    /// arrives as [`Driver::arrived`](super::Driver::arrived), unless the returned handle aborts it.
    pub fn shake(
        &mut self,
        owner: Id,
        plain: Transport,
        tls: Arc<Credentials>,
        limit: Duration,
    ) -> Result<AbortHandle, Refusal> {
        let inbox = Arc::clone(&self.inbox);
        let work = async move {
            let (why, plain) = match tls.accept(plain, limit).await {
                Ok(stream) => return inbox.admit(Arrived { owner, step: Step::Done(stream) }),
                Err(failure) => failure,
            };
            inbox.admit(Arrived { owner, step: Step::Refused(why) });
            if let Some(plain) = plain {
                plain.part().await;
            }
            inbox.admit(Arrived { owner, step: Step::Gone });
        };
        self.spawn(work, true)
    }

    /// Starts a lookup; its end arrives as [`Driver::looked_up`](super::Driver::looked_up), unless
    /// the returned handle aborts it.
    pub fn look_up(&mut self, owner: Id, name: String, kind: Kind) -> Result<AbortHandle, Refusal> {
        let inbox = Arc::clone(&self.inbox);
        let resolver = self.resolver.clone();
        let work = async move {
            let outcome = resolver.records(&name, kind).await;
            inbox.bring(LookedUp { owner, outcome });
        };
        self.spawn(work, true)
    }

    /// Runs `work` as a task of the runtime's, until it ends or the handle aborts it. `timed`: there are
    /// timers of the runtime's in it, or it has tasks of its own.
    pub(crate) fn spawn<F>(&mut self, work: F, timed: bool) -> Result<AbortHandle, Refusal>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let jobs = Arc::clone(&self.jobs);
        let task = self.engine()?.handle.spawn(Job::new(work, timed, &jobs));
        Ok(task.abort_handle())
    }

    /// What dials and lookups find names with.
    #[cfg(feature = "etcd")]
    pub fn resolver(&self) -> Resolver {
        self.resolver.clone()
    }

    /// Sets the name servers to ask from now on, by dials and lookups; none: the system's.
    pub fn set_name_servers(&mut self, servers: Vec<SocketAddr>) {
        self.resolver.set_servers(servers);
    }
}
