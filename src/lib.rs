//! The cluster RPC of the silly framework, as a module for stock Lua interpreters.

pub mod net;
pub mod sessions;
pub mod timers;
pub mod wire;
pub mod zproto;
