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

    /// Reads all files again, for the handshakes that begin from now on. When something is wrong with any of
    /// them nothing changes.
    pub fn reread_credentials(&self) -> Result<(), String> {
        let known = self.credentials.iter().filter_map(Weak::upgrade);
        let read = known.map(|known| known.reread().map(|fresh| (known, fresh)));
        for (known, fresh) in read.collect::<Result<Vec<_>, _>>()? {
            known.renew(fresh);
        }
        Ok(())
    }
}
