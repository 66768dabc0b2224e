//! Who is let in: how many connections there may be, in all and of one host, and how many may come in a
//! second. Without such bounds whoever reaches the port can take all descriptors of the process.
//!
//! Too many at a time are only kept waiting, where they have come from: in the backlog. Too many in all
//! are closed, since nobody knows when there will be room.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use rustc_hash::FxHashMap;

use crate::net::endpoint::Endpoint;

use super::limits::Limits;
use super::remarks::Remarks;

/// So many refusals are logged in a second.
const LINES: u32 = 1;

/// What a second has, and a connection costs, of what `allowance` is counted in.
const SCALE: u64 = 1_000;

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// So many are here.
    Full(usize),
    /// So many of its host are here.
    HostFull(usize),
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(count) => write!(f, "{count} are here, as many as maxconnections allows"),
            Self::HostFull(count) => {
                write!(f, "{count} of its host are here, as many as maxperhost allows")
            }
        }
    }
}

/// The count of those who are here, and when others may come.
#[derive(Debug, Default)]
pub(super) struct Guard {
    total: usize,
    hosts: FxHashMap<IpAddr, usize>,
    /// What is left of the rate, in thousandths of a connection; none before the first look.
    budget: Option<u64>,
    /// When it was last filled up, in milliseconds.
    filled: u64,
    remarks: Remarks<LINES>,
}

impl Guard {
    /// How many connections may come in now.
    pub(super) fn allowance(&mut self, now: u64, limits: &Limits) -> usize {
        let rate = u64::from(limits.accepts);
        // What a second of silence leaves may come at once.
        let most = rate * SCALE;
        let gained = now.saturating_sub(self.filled).saturating_mul(rate);
        let budget = self.budget.map_or(most, |left| left.saturating_add(gained).min(most));
        self.filled = now;
        self.budget = Some(budget);
        (budget / SCALE) as usize
    }

    /// Counts those who have come in against the rate.
    pub(super) fn spend(&mut self, count: usize) {
        let cost = count as u64 * SCALE;
        self.budget = self.budget.map(|left| left.saturating_sub(cost));
    }

    /// How long it takes until one more may come in, in milliseconds; at least one.
    pub(super) fn pause(&self, limits: &Limits) -> u64 {
        let lacking = SCALE.saturating_sub(self.budget.unwrap_or(SCALE));
        lacking.div_ceil(u64::from(limits.accepts).max(1)).max(1)
    }

    /// Lets a connection in, and counts it until it [`leaves`](Self::leave).
    pub(super) fn admit(&mut self, remote: &Endpoint, limits: &Limits) -> Result<(), Denial> {
        if self.total >= limits.connections {
            return Err(Denial::Full(self.total));
        }
        if let Some(host) = host(remote) {
            let count = self.hosts.entry(host).or_default();
            if *count >= limits.per_host {
                return Err(Denial::HostFull(*count));
            }
            *count += 1;
        }
        self.total += 1;
        Ok(())
    }

    /// A connection that was let in is gone.
    pub(super) fn leave(&mut self, remote: &Endpoint) {
        self.total = self.total.saturating_sub(1);
        if let Some(host) = host(remote)
            && let Some(count) = self.hosts.get_mut(&host)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.hosts.remove(&host);
            }
        }
    }

    /// What to log of a refusal, if anything.
    pub(super) fn remark(&mut self, now: u64, remote: &Endpoint, why: Denial) -> Option<String> {
        self.remarks.line(now, || format!("[cluster] refusing {remote}: {why}"))
    }
}

/// What counts as one host: an address, of IPv6 the network of 64 bits that whoever has one has all of.
fn host(remote: &Endpoint) -> Option<IpAddr> {
    let Endpoint::Net(address) = remote else { return None };
    Some(match address.ip().to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Endpoint {
        Endpoint::Net(text.parse().unwrap())
    }

    fn limits(connections: usize, per_host: usize, accepts: u32) -> Limits {
        Limits { connections, per_host, accepts, ..Limits::default() }
    }

    #[test]
    fn there_are_never_more_than_the_bounds_say() {
        let mut guard = Guard::default();
        let limits = limits(3, 2, 10);
        let (one, other) = (net("10.0.0.1:1"), net("10.0.0.2:1"));
        assert_eq!(guard.admit(&one, &limits), Ok(()));
        assert_eq!(guard.admit(&one, &limits), Ok(()));
        assert_eq!(guard.admit(&one, &limits), Err(Denial::HostFull(2)));
        assert_eq!(guard.admit(&other, &limits), Ok(()));
        assert_eq!(guard.admit(&other, &limits), Err(Denial::Full(3)));
        guard.leave(&one);
        assert_eq!(guard.admit(&net("10.0.0.1:2"), &limits), Ok(()));
        for remote in [&one, &one, &other] {
            guard.leave(remote);
        }
        assert!(guard.hosts.is_empty());
        assert_eq!(guard.total, 0);
    }

    #[test]
    fn a_host_is_known_in_all_its_addresses() {
        let same =
            [["10.0.0.1:1", "[::ffff:10.0.0.1]:9"], ["[2001:db8::1]:1", "[2001:db8:0:0:ffff::]:2"]];
        for [one, other] in same {
            assert_eq!(host(&net(one)), host(&net(other)));
        }
        assert_ne!(host(&net("[2001:db8::1]:1")), host(&net("[2001:db8:0:1::1]:1")));
        assert_eq!(host(&Endpoint::Unix(std::path::Path::new("/x").into())), None);
    }

    #[test]
    fn the_rate_allows_a_second_at_once_and_then_one_by_one() {
        let mut guard = Guard::default();
        let limits = limits(9, 9, 4);
        assert_eq!(guard.allowance(7_000, &limits), 4);
        guard.spend(4);
        assert_eq!(guard.allowance(7_000, &limits), 0);
        assert_eq!(guard.pause(&limits), 250);
        assert_eq!(guard.allowance(7_249, &limits), 0);
        assert_eq!(guard.allowance(7_250, &limits), 1);
        guard.spend(1);
        assert_eq!(guard.allowance(7_800, &limits), 2);
        assert_eq!(guard.allowance(60_000, &limits), 4);
    }
}
