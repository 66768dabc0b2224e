//! Where the jobs leave word for the room. Little fits on it: whoever brings more waits until the room has
//! had its turn, so that an etcd that never stops talking fills no memory.

use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::reason::Reason;

use super::nodes::Change;

/// So many pieces of news may wait.
const ROOM: usize = 64;

/// What a job has to say.
pub(super) enum News {
    /// What a task has waited for has come to this. Of a registration: the seconds that were granted.
    Over(Result<u32, Reason>),
    /// A node has come, gone or moved.
    Change(Change),
    /// A line for the log.
    Note(String),
}

/// A job's end of it. When nobody reads it any more the job is about to be dropped.
pub(super) struct Desk {
    news: Sender<News>,
}

impl Desk {
    pub(super) fn new() -> (Desk, Receiver<News>) {
        let (news, reader) = mpsc::channel(ROOM);
        (Desk { news }, reader)
    }

    pub(super) async fn over(&self, outcome: Result<u32, Reason>) {
        self.put(News::Over(outcome)).await;
    }

    pub(super) async fn change(&self, change: Change) {
        self.put(News::Change(change)).await;
    }

    pub(super) async fn note(&self, text: String) {
        self.put(News::Note(text)).await;
    }

    async fn put(&self, news: News) {
        drop(self.news.send(news).await);
    }
}
