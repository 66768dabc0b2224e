//! The Lua face: what `require "silly.core"` returns.

mod zproto;

#[mlua::lua_module(name = "silly_core", skip_memory_check)]
fn silly_core(lua: &mlua::Lua) -> mlua::Result<mlua::Table> {
    let core = lua.create_table()?;
    core.set("zproto", zproto::module(lua)?)?;
    Ok(core)
}
