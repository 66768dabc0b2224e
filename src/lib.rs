//! The cluster RPC of the silly framework, as a module for stock Lua interpreters.
//!
//! From the lowest floor up, each importing only from those before it:
//!
//! 1. [`wire`]: frames and bytes; [`reason`]: why something failed; [`registry`]: ids that go
//!    stale. No IO, no clock, no Lua.
//! 2. [`sessions`]: calls that wait for an answer; [`timers`]: deadlines, with the time passed in;
//!    [`trace`]: trace ids.
//! 3. [`net`]: addresses, name lookup, dialling, listening, one connection.
//! 4. [`reactor`]: the runtime on the caller's thread, the queue of events, one turn.
//! 5. [`cluster`]: handles, connections, calls in flight; [`tcp`]: plain streams of bytes;
//!    [`lookups`]: names that tasks wait for; [`node`]: all that one Lua state owns.
//! 6. `lua`: the bindings, built with one of the features that name a Lua version.
//!
//! Rooms of their own, on no other floor of ours: [`zproto`], with neither sockets nor Lua;
//! [`signals`] and [`sink`], the process's signal handlers and its log, which all states share
//! (in `per_process`, as nothing else does).
//!
//! Unsafe code is where an attribute below, or in [`reactor`], gives the reason; anywhere else it
//! is refused.

pub mod cluster;
pub mod lookups;
#[cfg(any(
    feature = "lua51",
    feature = "lua52",
    feature = "lua53",
    feature = "lua54",
    feature = "lua55",
    feature = "luajit"
))]
#[expect(unsafe_code, reason = "Lua's C interface")]
mod lua;
pub mod net;
pub mod node;
#[expect(unsafe_code, reason = "a pointer that is never freed, since a forked child may hold it")]
mod per_process;
pub mod reactor;
pub mod reason;
pub mod registry;
pub mod sessions;
#[expect(
    unsafe_code,
    reason = "system calls that the standard library lacks, and a signal handler"
)]
pub mod signals;
#[expect(unsafe_code, reason = "system calls that the standard library lacks, and C's stdout")]
pub mod sink;
pub mod tcp;
pub mod timers;
pub mod trace;
pub mod wire;
pub mod zproto;
