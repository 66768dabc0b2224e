//! A listener of the cluster: where connections come in, and what they are taken for.

use std::sync::Arc;

use crate::net::listener::OWNER_ONLY;
use crate::net::tls::Credentials;
use crate::reactor::door::Door;
use crate::wire::Generation;

/// On what terms a listener takes connections in.
#[derive(Debug, Clone)]
pub struct Terms {
    /// So many connections may wait to be accepted.
    pub backlog: u32,
    /// Who may connect to a Unix socket: the rights of its file.
    pub mode: u32,
    /// What those who come in speak.
    pub generation: Generation,
    /// Whether they have to speak it within TLS.
    pub tls: Option<Arc<Credentials>>,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { backlog: 128, mode: OWNER_ONLY, generation: Generation::One, tls: None }
    }
}

/// One listener.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) door: Door,
    /// What those who come in speak.
    pub(super) generation: Generation,
    /// Whether they have to speak it within TLS.
    pub(super) tls: Option<Arc<Credentials>>,
}
