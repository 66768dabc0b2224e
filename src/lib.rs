//! The cluster RPC of the silly framework, as a module for stock Lua interpreters.

pub mod zproto;

#[cfg(any(
    feature = "lua51",
    feature = "lua52",
    feature = "lua53",
    feature = "lua54",
    feature = "lua55",
    feature = "luajit",
))]
mod lua;
