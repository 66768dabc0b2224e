//! One registration: a key with a lease, which is kept alive, and made anew when it was lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use etcd_client::{Client, Error, PutOptions};
use tokio::time::{sleep, timeout};

use crate::reason::Reason;

use super::desk::Desk;
use super::line::{Line, Pause, words};

/// What is to stand in etcd.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) addr: String,
    /// The life of the lease that is asked for, in seconds.
    pub(super) ttl: u32,
    /// The lease that was granted last, or 0: for whoever leaves.
    pub(super) lease: Arc<AtomicI64>,
}

/// A lease that was granted, by whom, and for how many seconds.
struct Lease {
    client: Client,
    id: i64,
    ttl: u32,
}

/// Registers, and sees to it that the entry is there for as long as this runs.
pub(super) async fn stay(line: Arc<Line>, entry: Entry, desk: Desk) {
    let put = || line.attempt(|client| enter(client, entry.clone()));
    let mut held = match put().await {
        Ok(held) => held,
        Err(why) => return desk.over(Err(why)).await,
    };
    desk.over(Ok(held.1.ttl)).await;
    let mut pause = Pause::default();
    loop {
        let (turn, lease) = held;
        let began = Instant::now();
        let why = keep(lease, line.patience()).await;
        pause.note(began.elapsed());
        line.pass_on(turn);
        let key = &entry.key;
        desk.note(format!("[registry] {key} may be gone from etcd, and is put there again: {why}"))
            .await;
        held = loop {
            pause.rest().await;
            if let Ok(held) = put().await {
                break held;
            }
        };
        desk.note(format!("[registry] {key} is in etcd again")).await;
    }
}

/// Puts the key with a new lease. One that it had before does not take it along when it runs out.
async fn enter(mut client: Client, entry: Entry) -> Result<Lease, Error> {
    let granted = client.lease_grant(i64::from(entry.ttl), None).await?;
    let id = granted.id();
    entry.lease.store(id, Ordering::Release);
    client.put(entry.key, entry.addr, Some(PutOptions::new().with_lease(id))).await?;
    let ttl = u32::try_from(granted.ttl()).unwrap_or(entry.ttl).max(1);
    Ok(Lease { client, id, ttl })
}

/// Keeps a lease alive, three times in its life, until that fails: why.
async fn keep(mut lease: Lease, patience: Duration) -> String {
    const GONE: &str = "the lease has run out";
    const SILENT: &str = "no answer";
    let period = Duration::from_secs(u64::from(lease.ttl)) / 3;
    let begin = timeout(patience, lease.client.lease_keep_alive(lease.id)).await;
    let (mut keeper, mut answers) = match begin {
        Ok(Ok(both)) => both,
        Ok(Err(why)) => return words(why),
        Err(_) => return SILENT.to_owned(),
    };
    loop {
        sleep(period).await;
        let beat = async {
            keeper.keep_alive().await?;
            answers.message().await
        };
        // Later than that it would come too late.
        match timeout(period * 2, beat).await {
            Ok(Ok(Some(answer))) if answer.ttl() > 0 => {}
            Ok(Ok(Some(_))) => return GONE.to_owned(),
            Ok(Ok(None)) => return "the stream has ended".to_owned(),
            Ok(Err(why)) => return words(why),
            Err(_) => return SILENT.to_owned(),
        }
    }
}

/// Gives the lease back, which takes the key along.
pub(super) async fn leave(line: Arc<Line>, lease: i64, desk: Desk) {
    let revoke = |mut client: Client| async move { client.lease_revoke(lease).await };
    let outcome = match line.attempt(revoke).await {
        Ok(_) => Ok(0),
        // It had run out.
        Err(Reason::Other(why)) if why.contains("requested lease not found") => Ok(0),
        Err(why) => Err(why),
    };
    desk.over(outcome).await;
}
