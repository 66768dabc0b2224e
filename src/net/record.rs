//! What names are asked for, and what they stand for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::proto::rr::{RData, RecordType};

/// What a name is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Where a service is to be found.
    Srv,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::A, Kind::Aaaa, Kind::Srv];

    /// The number that DNS gives it.
    pub fn number(self) -> u16 {
        self.into_dns().into()
    }

    /// The kind with this number.
    pub fn from_number(number: u16) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// As the resolver calls it.
    pub(super) fn into_dns(self) -> RecordType {
        match self {
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
            Kind::Srv => RecordType::SRV,
        }
    }

    /// What is said of a name that is known, but not for this.
    pub(super) fn absence(self) -> &'static str {
        match self {
            Kind::A | Kind::Aaaa => "no address found",
            Kind::Srv => "no service found",
        }
    }
}

/// One thing that a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Srv(Service),
}

/// Where a service is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Lower ones are to be tried first.
    pub priority: u16,
    /// The share that it is to have among those of its priority.
    pub weight: u16,
    pub port: u16,
    /// A name without a dot at its end, as addresses are written.
    pub target: Box<str>,
}

impl Record {
    /// What the resolver has found, unless it is of no kind of ours.
    pub(super) fn from_dns(data: &RData) -> Option<Record> {
        match data {
            RData::A(ip) => Some(Record::A(ip.0)),
            RData::AAAA(ip) => Some(Record::Aaaa(ip.0)),
            RData::SRV(srv) => Some(Record::Srv(Service {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_ascii().trim_end_matches('.').into(),
            })),
            _ => None,
        }
    }

    /// An address as a record.
    pub(super) fn from_ip(ip: IpAddr) -> Record {
        match ip {
            IpAddr::V4(ip) => Record::A(ip),
            IpAddr::V6(ip) => Record::Aaaa(ip),
        }
    }

    /// The kind of question that it answers.
    pub fn kind(&self) -> Kind {
        match self {
            Record::A(_) => Kind::A,
            Record::Aaaa(_) => Kind::Aaaa,
            Record::Srv(_) => Kind::Srv,
        }
    }

    /// The address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Record::A(ip) => Some((*ip).into()),
            Record::Aaaa(ip) => Some((*ip).into()),
            Record::Srv(_) => None,
        }
    }
}

/// An address in the form that scripts know: all eight groups of an IPv6 one, none shortened, with
/// two digits at least. A service as "target:port".
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::A(ip) => ip.fmt(f),
            Record::Aaaa(ip) => {
                for (place, group) in ip.segments().into_iter().enumerate() {
                    let colon = if place == 0 { "" } else { ":" };
                    write!(f, "{colon}{group:02x}")?;
                }
                Ok(())
            }
            Record::Srv(Service { port, target, .. }) => write!(f, "{target}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_scripts_know_them() {
        let text = |ip: &str| Record::from_ip(ip.parse().unwrap()).to_string();
        assert_eq!(text("10.0.0.1"), "10.0.0.1");
        assert_eq!(text("2001:db8::1"), "2001:db8:00:00:00:00:00:01");
        assert_eq!(text("::"), "00:00:00:00:00:00:00:00");
        assert_eq!(text("fe80::abc:ffff"), "fe80:00:00:00:00:00:abc:ffff");
        // What is written can be read again.
        assert_eq!("2001:db8:00:00:00:00:00:01".parse::<Ipv6Addr>().unwrap().segments()[7], 1);
    }

    #[test]
    fn kinds_have_the_numbers_of_dns() {
        for (kind, number) in [(Kind::A, 1), (Kind::Aaaa, 28), (Kind::Srv, 33)] {
            assert_eq!(kind.number(), number);
            assert_eq!(Kind::from_number(number), Some(kind));
        }
        assert_eq!(Kind::from_number(16), None);
    }
}
