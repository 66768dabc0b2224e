//! Where one end of a connection is: at an address of the network, or at a path of this machine.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// What begins the address of a Unix socket; its path follows, from the root on.
const SCHEME: &str = "unix:";

/// The longest path: what the system's address of a Unix socket has room for.
pub(super) const MAX_PATH: usize = 107;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `ip:port`, or `[ipv6]:port`.
    Net(SocketAddr),
    /// `unix:/path`.
    Unix(Arc<Path>),
}

impl Endpoint {
    /// The path of an address that is one of a Unix socket.
    pub(super) fn path_of(address: &str) -> Option<&str> {
        address.strip_prefix(SCHEME).filter(|path| path.starts_with('/'))
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint::Net(address)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{SCHEME}{}", path.display()),
        }
    }
}
