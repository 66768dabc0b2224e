//! The Lua bindings: thin, check, call, convert.
//!
//! - `time`, `cluster`, `tls`, `tcp`, `dns`, `discovery`, `cancel`: what is called seldom, through mlua's safe
//!   interface; `guest`: the same for what a host with a loop of its own asks for.
//! - `hot`, `events`, `resume`, `tasks`, `turns`, `stream`: what is called for every message, through the
//!   raw C interface; `raw`, `output`: what these stand on; `parcel`, `trace`: events and trace ids as
//!   Lua values.
//! - `errno`, `log`, `signal`: one topic each, seldom called.
//! - `entry`: where an interpreter finds all of it; `host`: the same for a program that embeds Lua, with
//!   the Lua files.
//! - `zproto`: the face of the zproto room, raw too.
//!
//! No function of this module suspends, and none but those of `events::bind` runs Lua code: they resume
//! tasks. All else of tasks, callbacks and waiting is the Lua files' business. mlua's async functions are
//! not used: outside mlua's own executor they yield an address inside this library to whoever resumed
//! the coroutine.

mod cancel;
mod cluster;
#[cfg(feature = "etcd")]
mod discovery;
mod dns;
#[cfg(feature = "module")]
mod entry;
mod errno;
mod events;
mod guest;
#[cfg(not(feature = "module"))]
mod host;
mod hot;
mod log;
mod output;
mod parcel;
mod raw;
mod resume;
mod signal;
mod stream;
mod tasks;
mod tcp;
mod time;
mod tls;
mod trace;
mod turns;
mod zproto;

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, Result, Table};

use crate::node::Node;
use crate::registry::Id;

#[cfg(not(feature = "module"))]
pub use host::register;

/// What the functions of one state share.
type Shared = Rc<RefCell<Node>>;

/// The place of an entry in the arrays that Lua keeps by slot; they begin at 1.
fn slot(id: Id) -> u32 {
    id.slot() + 1
}

/// Where a state keeps its native table, so that requiring the module again (test runners empty
/// `package.loaded`) gives the same node.
const REGISTRY_KEY: &str = "silly.core";

/// The native module, `require "silly.core"`.
fn open(lua: &Lua) -> Result<Table> {
    if let Ok(known) = lua.named_registry_value::<Table>(REGISTRY_KEY) {
        return Ok(known);
    }
    let shared: Shared = Rc::default();
    let core = lua.create_table()?;
    core.raw_set("version", env!("CARGO_PKG_VERSION"))?;
    core.raw_set("gitsha1", env!("SILLY_GITSHA1"))?;
    core.raw_set("pid", std::process::id())?;
    core.raw_set("sees_tasks", hot::SEES_TASKS)?;
    time::register(lua, &core, &shared)?;
    turns::register(lua, &core, &shared)?;
    cluster::register(lua, &core, &shared)?;
    tls::register(lua, &core, &shared)?;
    tcp::register(lua, &core, &shared)?;
    dns::register(lua, &core, &shared)?;
    #[cfg(feature = "etcd")]
    discovery::register(lua, &core, &shared)?;
    cancel::register(lua, &core, &shared)?;
    guest::register(lua, &core, &shared)?;
    parcel::register(lua, &core)?;
    raw::register(lua, &core, &shared, &hot::FUNCTIONS)?;
    #[cfg(feature = "lua51")]
    raw::register(lua, &core, &shared, &hot::FUNCTIONS_51)?;
    raw::register(lua, &core, &shared, &turns::FUNCTIONS)?;
    raw::register(lua, &core, &shared, &events::FUNCTIONS)?;
    core.raw_set("pool_limit", tasks::POOL_LIMIT)?;
    errno::register(lua, &core)?;
    log::register(lua, &core, &shared)?;
    signal::register(lua, &core, &shared)?;
    core.raw_set("zproto", zproto::module(lua)?)?;
    lua.set_named_registry_value(REGISTRY_KEY, &core)?;
    Ok(core)
}
