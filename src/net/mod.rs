//! Everything that names or touches a socket: addresses, name lookup, dialling, listening, TLS, and
//! one connection. Nothing in here knows what the bytes mean.

pub mod address;
pub(crate) mod balance;
pub mod connection;
pub mod dial;
pub mod endpoint;
pub mod errno;
mod keepalive;
pub mod listener;
mod name_servers;
mod path;
pub mod record;
pub mod resolver;
pub mod tls;
pub mod transport;
