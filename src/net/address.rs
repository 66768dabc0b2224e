//! The addresses a program writes: what to connect to, and what to listen on.
//!
//! Reading them is apart from using them so that a mistake in a configuration is reported in full,
//! at once and the same way everywhere, before a socket or a resolver has seen it. The standard
//! library reads the same literals, but says no more than "invalid socket address syntax".

use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::Path;
use std::str::FromStr;

use super::endpoint::{Endpoint, MAX_PATH};

/// The longest name DNS can carry, without the dot that may end it.
const MAX_NAME: usize = 253;
/// What begins the address of a service; its name follows, of which the first part begins with `_`.
const SERVICE: &str = "srv:";
/// The longest part of a name between two dots.
const MAX_LABEL: usize = 63;

/// What to connect to. Parsing one never yields port 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `ip:port`, `[ipv6]:port` or `unix:/path`: can be connected to as it is.
    Endpoint(Endpoint),
    /// `name:port`: has to be looked up first.
    Name {
        /// A well-formed DNS name, as it was written.
        host: Box<str>,
        /// From 1 to 65535.
        port: u16,
    },
    /// `srv:_name._tcp.domain`: a name that has services, each with a name and a port.
    Service(Box<str>),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = Endpoint::path_of(text) {
            return read_path(path).map(Self::Endpoint).map_err(|problem| AddressError {
                value: text.into(),
                problem,
                listen: false,
            });
        }
        if let Some(name) = text.strip_prefix(SERVICE).filter(|name| name.starts_with('_')) {
            return check_name(name)
                .map(|()| Self::Service(name.into()))
                .map_err(|problem| AddressError { value: text.into(), problem, listen: false });
        }
        read(text)
            .and_then(|(host, port)| match host {
                Host::Empty => Err(Problem::NoHost),
                _ if port == 0 => Err(Problem::ZeroPort),
                Host::Literal(socket) => Ok(Self::Endpoint(socket.into())),
                Host::Name(host) => {
                    check_name(host)?;
                    Ok(Self::Name { host: host.into(), port })
                }
            })
            .map_err(|problem| AddressError { value: text.into(), problem, listen: false })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(endpoint) => endpoint.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Service(name) => write!(f, "{SERVICE}{name}"),
        }
    }
}

/// Reads an address to listen on: `ip:port`, `[ipv6]:port`, `:port` for every IPv4 address of the
/// machine, or `unix:/path`. Port 0 leaves the choice of a port to the system.
///
/// Names are refused, since a name may stand for several addresses, or for none of this machine.
pub fn parse_listen(text: &str) -> Result<Endpoint, AddressError> {
    let endpoint = match Endpoint::path_of(text) {
        Some(path) => read_path(path),
        None => read(text).and_then(|(host, port)| match host {
            Host::Empty => Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into()),
            Host::Literal(socket) => Ok(socket.into()),
            Host::Name(_) => Err(Problem::NotLiteral),
        }),
    };
    endpoint.map_err(|problem| AddressError { value: text.into(), problem, listen: true })
}

/// An address that cannot be used. Its text names the value, the mistake, and what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    value: Box<str>,
    problem: Problem,
    /// Whether it was to be listened on, for which other forms are wanted.
    listen: bool,
}

impl AddressError {
    /// True when only the host is at fault, and not the form.
    pub fn is_of_host(&self) -> bool {
        use Problem::{Ipv4, Ipv6, NotLiteral, Scope};
        matches!(self.problem, Ipv4 | Ipv6 | NotLiteral | Scope)
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, problem, listen } = self;
        write!(f, "bad address {value:?}: {problem}; ")?;
        f.write_str(match listen {
            true => r#"wanted "ip:port", "[ipv6]:port", ":port" or "unix:/path""#,
            false => {
                r#"wanted "ip:port", "[ipv6]:port", "name:port", "unix:/path" or "srv:_name._tcp.domain""#
            }
        })
    }
}

impl Error for AddressError {}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Empty,
    Space,
    NoHost,
    NoPort,
    PortSyntax,
    PortRange,
    ZeroPort,
    Unclosed,
    AfterBracket,
    Colons,
    Ipv4,
    Ipv6,
    Scope,
    Character(char),
    NameLength(usize),
    EmptyLabel,
    LabelLength(usize),
    NotLiteral,
    PathLength(usize),
    PathZero,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Space => "it contains whitespace",
            Self::NoHost => "the host is missing",
            Self::NoPort => "the port is missing",
            Self::PortSyntax => "the port is not a plain decimal number",
            Self::PortRange => "the port is over 65535",
            Self::ZeroPort => "port 0 cannot be connected to",
            Self::Unclosed => "the closing bracket is missing",
            Self::AfterBracket => "the closing bracket must be followed by a colon and the port",
            Self::Colons => "it has several colons, and an IPv6 address needs brackets around it",
            Self::Ipv4 => "the host is not a valid IPv4 address",
            Self::Ipv6 => "what is in the brackets is not a valid IPv6 address",
            Self::Scope => "the scope behind the % must be a number",
            Self::EmptyLabel => "the name has nothing before or between its dots",
            Self::NotLiteral => "only a literal address can be listened on, not a name",
            Self::PathZero => "the path contains a zero byte",
            Self::PathLength(len) => {
                return write!(f, "the path is {len} bytes long, over the limit of {MAX_PATH}");
            }
            Self::Character(c) => {
                return write!(f, "{c:?} is not allowed in a name (letters, digits, - _ . are)");
            }
            Self::NameLength(len) => {
                return write!(f, "the name is {len} bytes long, over the limit of {MAX_NAME}");
            }
            Self::LabelLength(len) => {
                return write!(f, "a part of the name is {len} bytes long, over {MAX_LABEL}");
            }
        })
    }
}

/// The part of an address before its port.
enum Host<'a> {
    Empty,
    /// With the port, as a scope has its place only in a socket address.
    Literal(SocketAddr),
    /// Anything else, not checked any further.
    Name(&'a str),
}

/// Takes an address apart, as far as connecting and listening agree.
fn read(text: &str) -> Result<(Host<'_>, u16), Problem> {
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    if text.contains(char::is_whitespace) {
        return Err(Problem::Space);
    }
    if let Some(inner) = text.strip_prefix('[') {
        let (ip, rest) = inner.split_once(']').ok_or(Problem::Unclosed)?;
        let port = match rest.strip_prefix(':') {
            Some(port) => read_port(port)?,
            None if rest.is_empty() => return Err(Problem::NoPort),
            None => return Err(Problem::AfterBracket),
        };
        let (ip, scope) = match ip.split_once('%') {
            Some((ip, scope)) => (ip, decimal(scope).ok_or(Problem::Scope)?),
            None => (ip, 0),
        };
        let ip = ip.parse::<Ipv6Addr>().map_err(|_| Problem::Ipv6)?;
        return Ok((Host::Literal(SocketAddrV6::new(ip, port, 0, scope).into()), port));
    }
    let (host, port) = text.rsplit_once(':').ok_or(Problem::NoPort)?;
    if host.contains(':') {
        return Err(Problem::Colons);
    }
    let port = read_port(port)?;
    let host = if host.is_empty() {
        Host::Empty
    } else if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        // No resolver should be asked about what can only be a mistyped address.
        let ip = host.parse::<Ipv4Addr>().map_err(|_| Problem::Ipv4)?;
        Host::Literal((ip, port).into())
    } else {
        Host::Name(host)
    };
    Ok((host, port))
}

/// Checks what the system would refuse, and less clearly.
fn read_path(path: &str) -> Result<Endpoint, Problem> {
    match path.len() {
        _ if path.contains('\0') => Err(Problem::PathZero),
        0..=MAX_PATH => Ok(Endpoint::Unix(Path::new(path).into())),
        len => Err(Problem::PathLength(len)),
    }
}

fn read_port(text: &str) -> Result<u16, Problem> {
    if text.is_empty() {
        return Err(Problem::NoPort);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::PortSyntax);
    }
    decimal(text).ok_or(Problem::PortRange)
}

/// Digits only: the parsers of the standard library take a sign as well.
fn decimal<T: FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Checks what a resolver would refuse late, and less clearly.
fn check_name(name: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(c) = name.chars().find(|&c| !allowed(c)) {
        return Err(Problem::Character(c));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > MAX_NAME {
        return Err(Problem::NameLength(name.len()));
    }
    for label in name.split('.') {
        match label.len() {
            0 => return Err(Problem::EmptyLabel),
            1..=MAX_LABEL => {}
            len => return Err(Problem::LabelLength(len)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
