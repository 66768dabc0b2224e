//! The descriptor that a host waits on: what the system has for it.

#[cfg(not(target_os = "linux"))]
mod absent;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "epoll, timerfd, eventfd")]
mod linux;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "a descriptor of the runtime's, duplicated")]
mod search;

#[cfg(not(target_os = "linux"))]
pub(super) use absent::Lamp;
#[cfg(target_os = "linux")]
pub(super) use linux::Lamp;
