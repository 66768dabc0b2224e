//! TLS for connections: what an end shows, whom it takes, and the handshake.
//!
//! - `credentials`: from files to what handshakes use, and the same again when the files have changed.
//! - `handshake`: a plain connection in, one with TLS out, or the reason in words; `session`: what comes out.
//! - `anyone`: the verifier of those who verify nothing; `words`: errors for people.
//! - `record`: bytes that are TLS where none is expected.
//!
//! It is TLS 1.3 alone, as both ends are meant to be this library, and nothing is resumed: connections live long,
//! and whoever comes again is to be looked at again. Without the feature `tls` there are no credentials, and
//! so none of the rest: `absent` has the types.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod anyone;
#[cfg(feature = "tls")]
mod credentials;
#[cfg(feature = "tls")]
mod handshake;
pub mod record;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod words;

use std::path::PathBuf;

#[cfg(not(feature = "tls"))]
pub use absent::{Credentials, Session, flaw};
#[cfg(feature = "tls")]
pub use credentials::Credentials;
#[cfg(feature = "tls")]
pub use session::Session;
#[cfg(feature = "tls")]
pub use words::flaw;

/// What TLS finds wrong with bytes that have come.
#[derive(Debug)]
pub struct Flaw {
    pub text: String,
    /// The other end has refused this one's certificate, and so has taken nothing of it.
    pub refused: bool,
}

/// The names in the other end's certificate.
pub type Names = std::sync::Arc<[Box<str>]>;

/// What a script says of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The certificate that this end shows, with those between it and the CA, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Who signs the certificates of the other ends.
    pub ca: Option<PathBuf>,
    /// Whether the other end has to show one.
    pub verify: bool,
    /// Whom a connection is for, where that is not the host of its address.
    pub server_name: Option<String>,
}
