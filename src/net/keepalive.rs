//! Noticing that the other end has gone without a word: the kernel asks, and gives up in time.
//!
//! A host that loses its power or its network closes nothing. What was sent to it is repeated for a
//! quarter of an hour, and a connection on which nothing is sent stands for ever. Two settings of
//! the kernel end both: probes on a silent connection, and a limit for what nobody acknowledges.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// So many probes fit into the last half of the limit, so that one that gets lost ends nothing.
const PROBES: u64 = 4;

/// Has the connection end with a timeout when the other end's kernel has not been heard of for
/// `limit`, or has not taken anything of what is queued for it. In whole seconds, from two on.
pub(super) fn watch(socket: SockRef<'_>, limit: Duration) -> io::Result<()> {
    // Whole seconds are all that the kernel takes; the last probe is due when the limit is over.
    let seconds = limit.as_secs();
    let interval = (seconds / (2 * PROBES)).max(1);
    let first = seconds.saturating_sub(PROBES * interval).max(1);
    let interval = Duration::from_secs(interval);
    let probes = TcpKeepalive::new()
        .with_time(Duration::from_secs(first))
        .with_interval(interval)
        .with_retries(PROBES as u32);
    socket.set_tcp_keepalive(&probes)?;
    // It decides in place of the number of probes. The kernel looks only when a probe is due, and
    // would miss a limit that ends at that very moment by a hair.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(limit.saturating_sub(interval / 2)))?;
    Ok(())
}

/// Takes that back.
pub(super) fn unwatch(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_keepalive(false)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(None)?;
    Ok(())
}
