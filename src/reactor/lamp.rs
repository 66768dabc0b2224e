//! The descriptor that a host waits on: what the system has for it.

#[cfg(not(target_os = "linux"))]
mod absent;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod search;

#[cfg(not(target_os = "linux"))]
pub(super) use absent::Lamp;
#[cfg(target_os = "linux")]
pub(super) use linux::Lamp;
