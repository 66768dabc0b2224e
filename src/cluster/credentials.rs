//! The credentials in use, and how all of them are read again.

use std::sync::{Arc, Weak};

use crate::net::tls::{Credentials, Settings};

use super::Cluster;

/// They live as long as a listener, a handle or the script has them.
pub(super) type Known = Vec<Weak<Credentials>>;

impl Cluster {
    /// Reads the files that settings name; or says what is wrong with which.
    pub fn read_credentials(&mut self, settings: Settings) -> Result<Arc<Credentials>, String> {
        let credentials = Arc::new(Credentials::read(settings)?);
        self.credentials.retain(|known| known.strong_count() > 0);
        self.credentials.push(Arc::downgrade(&credentials));
        Ok(credentials)
    }

    /// Reads all files again, for the handshakes that begin from now on. When something is wrong with any that
    /// a listener or a handle uses, or `default`, nothing changes.
    pub fn reread_credentials(&self, default: Option<&Arc<Credentials>>) -> Result<(), String> {
        let mut read = Vec::new();
        for known in self.credentials.iter().filter_map(Weak::upgrade) {
            match known.reread() {
                Ok(fresh) => read.push((known, fresh)),
                Err(why) if self.uses(&known, default) => return Err(why),
                Err(_) => {} // the script has it yet, and nothing else
            }
        }
        for (known, fresh) in read {
            known.renew(fresh);
        }
        Ok(())
    }

    fn uses(&self, known: &Arc<Credentials>, default: Option<&Arc<Credentials>>) -> bool {
        let listeners = self.gates.iter().filter_map(|gate| gate.tls.as_ref());
        let handles = self.peers.iter().filter_map(|peer| peer.tls.as_ref());
        listeners.chain(handles).chain(default).any(|used| Arc::ptr_eq(used, known))
    }
}
