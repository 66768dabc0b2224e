//! A listener of the cluster: where connections come in, and what they are taken for.

use crate::reactor::door::Door;
use crate::wire::Generation;

/// One listener.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) door: Door,
    /// What those who come in speak.
    pub(super) generation: Generation,
}
