//! The nodes of a service, followed: a listing, what changes after it, and a new listing when the stream
//! of changes has broken.
//!
//! What was missed is never asked for, since etcd may have forgotten it: only the differences between two
//! listings count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::{
    Client, Error, EventType, GetOptions, GetResponse, KeyValue, WatchOptions, WatchStream,
};
use tokio::time::timeout;

use super::desk::Desk;
use super::line::{Line, Pause};
use super::nodes::{Nodes, address_of, name_of, shown};

/// There is a new listing this often, whatever the stream says: etcd may lose the end of a key whose history it
/// forgets at the same moment (its issue 18089, which Debian's has).
const REVIEW: Duration = Duration::from_secs(60);

/// Follows for as long as this runs.
pub(super) async fn follow(line: Arc<Line>, prefix: String, desk: Desk) {
    let mut view = View { prefix, nodes: Nodes::default(), desk };
    let mut pause = Pause::default();
    let (mut begun, mut away) = (false, false);
    loop {
        match line.attempt(|client| list(client, view.prefix.clone())).await {
            Ok((turn, (listing, stream))) => {
                view.take_over(&listing).await;
                if !begun {
                    view.desk.over(Ok(0)).await;
                } else if away {
                    view.desk.note(format!("[registry] {} is watched again", view.prefix)).await;
                }
                (begun, away) = (true, false);
                let began = Instant::now();
                let broken = timeout(REVIEW, view.watch(stream)).await.is_ok();
                pause.note(began.elapsed());
                if broken {
                    line.pass_on(turn);
                }
            }
            Err(why) if !begun => return view.desk.over(Err(why)).await,
            Err(why) if !away => {
                away = true;
                let prefix = &view.prefix;
                let what = "cannot be watched, what was known of it stays";
                view.desk.note(format!("[registry] {prefix} {what}: {why}")).await;
            }
            Err(_) => {}
        }
        pause.rest().await;
    }
}

/// All that there is, and the stream of what changes after that.
async fn list(mut client: Client, prefix: String) -> Result<(GetResponse, WatchStream), Error> {
    let listing = client.get(prefix.clone(), Some(GetOptions::new().with_prefix())).await?;
    let after = listing.header().map_or(0, |header| header.revision()) + 1;
    let options = WatchOptions::new().with_prefix().with_start_revision(after);
    let stream = client.watch(prefix, Some(options)).await?;
    Ok((listing, stream))
}

struct View {
    prefix: String,
    nodes: Nodes,
    desk: Desk,
}

impl View {
    /// A listing: what is different from before.
    async fn take_over(&mut self, listing: &GetResponse) {
        let mut there = BTreeMap::new();
        for entry in listing.kvs() {
            if let Some((name, addr)) = self.read(entry).await {
                there.insert(name.to_owned(), addr.to_owned());
            }
        }
        for change in self.nodes.replace(&there) {
            self.desk.change(change).await;
        }
    }

    /// Takes what changes until the stream ends. Why it has is of no interest: the next listing either
    /// succeeds or says what is wrong.
    async fn watch(&mut self, mut stream: WatchStream) {
        while let Ok(Some(message)) = stream.message().await {
            if message.canceled() {
                return;
            }
            for event in message.events() {
                let Some(entry) = event.kv() else { continue };
                let found = match event.event_type() {
                    EventType::Put => self.read(entry).await,
                    EventType::Delete => None,
                };
                let change = match found {
                    Some((name, addr)) => self.nodes.set(name, addr),
                    // Gone, or no node any more.
                    None => {
                        name_of(&self.prefix, entry.key()).and_then(|name| self.nodes.drop(name))
                    }
                };
                if let Some(change) = change {
                    self.desk.change(change).await;
                }
            }
        }
    }

    /// The node that an entry stands for. What is none is passed over with a line in the log.
    async fn read<'a>(&self, entry: &'a KeyValue) -> Option<(&'a str, &'a str)> {
        let key = entry.key();
        let problem = match (name_of(&self.prefix, key), address_of(entry.value())) {
            (Some(name), Ok(addr)) => return Some((name, addr)),
            (None, _) => "bad name".to_owned(),
            (Some(_), Err(problem)) => problem,
        };
        self.desk.note(format!("[registry] {} is passed over: {problem}", shown(key))).await;
        None
    }
}
