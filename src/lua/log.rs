//! The process's log for `silly.logger`: see the sink.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, LuaString, Result, Table};

use crate::net::errno::reason;
use crate::sink::{self, Target};

use super::Shared;

/// True, or nil and why not.
type Outcome = (Option<bool>, Option<String>);

fn outcome(result: io::Result<()>) -> Outcome {
    match result {
        Ok(()) => (Some(true), None),
        Err(error) => (None, Some(reason(&error))),
    }
}

/// What could not be written at once is tried again by the loop. Where a host waits for it, the
/// loop has to know; while it is at work it looks by itself.
fn tell(node: &Shared) {
    if sink::is_behind()
        && let Ok(mut node) = node.try_borrow_mut()
    {
        node.reactor.retime();
    }
}

/// Adds the functions. None of them needs the node: finalisers may log at any time.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    // log(line): writes date, time and the line.
    let shared = Rc::clone(node);
    let log = move |_: &Lua, line: LuaString| {
        sink::write(&line.as_bytes());
        tell(&shared);
        Ok(())
    };
    core.raw_set("log", lua.create_function(log)?)?;

    let shared = Rc::clone(node);
    let output = move |_: &Lua, name: LuaString| {
        let name = name.as_bytes();
        let result = sink::set(match &*name {
            b"stdout" => Target::Stdout,
            b"stderr" => Target::Stderr,
            path => Target::File(PathBuf::from(OsStr::from_bytes(path))),
        });
        tell(&shared);
        Ok(outcome(result))
    };
    core.raw_set("log_output", lua.create_function(output)?)?;

    core.raw_set("log_reopen", lua.create_function(|_, ()| Ok(outcome(sink::reopen())))?)?;
    core.raw_set("log_dropped", lua.create_function(|_, ()| Ok(sink::dropped()))?)?;

    // log_drain(milliseconds): the last try for what is kept.
    let drain = |_: &Lua, ms: u64| {
        sink::drain(Duration::from_millis(ms));
        Ok(())
    };
    core.raw_set("log_drain", lua.create_function(drain)?)
}
