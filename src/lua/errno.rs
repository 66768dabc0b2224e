//! The system's error numbers for `silly.errno`.

use mlua::{Lua, Result, Table};

use crate::net::errno;

/// Adds `errno_numbers`, from names without the E, and `errno_text(number)`.
pub(super) fn register(lua: &Lua, core: &Table) -> Result<()> {
    let numbers = lua.create_table()?;
    for (name, number) in errno::NAMES {
        numbers.raw_set(name, number)?;
    }
    core.raw_set("errno_numbers", numbers)?;
    core.raw_set("errno_text", lua.create_function(|_, number: i32| Ok(errno::text(number)))?)
}
