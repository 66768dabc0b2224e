//! The cluster RPC of the silly framework for Lua: calls and messages between nodes over TCP, with the
//! API of `silly.net.cluster`. Scripts use it; what they find there is in docs/.
//!
//! The crate is built in one of two ways, each for one Lua version (`lua51` to `lua55`, `luajit`):
//!
//! - with the feature `module`, the default: a library that a stock interpreter loads as
//!   `silly.core`, beside the Lua files. `make build` of the repository does it; there is nothing to
//!   call from Rust then.
//! - without it: for a Rust program that embeds Lua through [mlua](https://docs.rs/mlua). `register`
//!   makes all modules known to a Lua state of the program's; the Lua files are inside. With `vendored`
//!   Lua itself is built from source, else the system's is linked.
//!
//! ```toml
//! [dependencies]
//! silly-cluster = { version = "0.1", default-features = false, features = ["lua54", "vendored"] }
//! ```
//!
//! mlua's feature `send` cannot be used beside it: what a state owns belongs to one thread.

// The floors, from the lowest up, each importing only from those before it; DESIGN.md shows them. They
// are public for the tests, the benchmarks and the fuzzers of the repository only, and change at will.
//
// 1. wire: frames and bytes; reason: why something failed; registry: ids that go stale. No IO, no clock,
//    no Lua.
// 2. sessions: calls that wait for an answer; timers: deadlines, with the time passed in; trace: trace
//    ids.
// 3. net: addresses, name lookup, dialling, listening, one connection.
// 4. reactor: the runtime on the caller's thread, the queue of events, one turn.
// 5. cluster: handles, connections, calls in flight; tcp: plain streams of bytes; lookups: names that
//    tasks wait for; discovery: nodes that find each other, with the feature `etcd`; node: all that one Lua state owns.
// 6. lua: the bindings, built with one of the features that name a Lua version.
//
// Rooms of their own, on no other floor of ours: zproto, with neither sockets nor Lua; signals and sink,
// the process's signal handlers and its log, which all states share (in per_process, as nothing else
// does).
//
// Unsafe code is where an attribute below, or in reactor, gives the reason; anywhere else it is refused.

#[doc(hidden)]
pub mod cluster;
#[cfg(feature = "etcd")]
#[doc(hidden)]
pub mod discovery;
#[doc(hidden)]
pub mod lookups;
#[cfg(feature = "mlua")]
#[expect(unsafe_code, reason = "Lua's C interface")]
mod lua;
#[doc(hidden)]
pub mod net;
#[doc(hidden)]
pub mod node;
#[expect(unsafe_code, reason = "a pointer that is never freed, since a forked child may hold it")]
mod per_process;
#[doc(hidden)]
pub mod reactor;
#[doc(hidden)]
pub mod reason;
#[doc(hidden)]
pub mod registry;
#[doc(hidden)]
pub mod sessions;
#[doc(hidden)]
#[expect(
    unsafe_code,
    reason = "system calls that the standard library lacks, and a signal handler"
)]
pub mod signals;
#[doc(hidden)]
#[expect(unsafe_code, reason = "system calls that the standard library lacks, and C's stdout")]
pub mod sink;
#[doc(hidden)]
pub mod tcp;
#[doc(hidden)]
pub mod timers;
#[doc(hidden)]
pub mod trace;
#[doc(hidden)]
pub mod wire;
#[doc(hidden)]
pub mod zproto;

#[cfg(all(feature = "mlua", not(feature = "module")))]
pub use lua::register;
/// The mlua that this crate was built with, whose [`Lua`](mlua::Lua) [`register`] takes.
#[cfg(all(feature = "mlua", not(feature = "module")))]
#[doc(no_inline)]
pub use mlua;
