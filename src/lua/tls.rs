//! TLS of the cluster: credentials as values that Lua keeps, and what is asked about connections.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{Lua, LuaString, Result, Table, UserData, UserDataRef};

use crate::net::tls::{Credentials, Settings};
use crate::registry::Id;

use super::Shared;

/// Credentials in the hands of Lua.
pub(super) struct Held(pub(super) Arc<Credentials>);

impl UserData for Held {}

/// What an argument that may be absent holds.
pub(super) type Given = Option<UserDataRef<Held>>;

/// The same for the cluster to keep.
pub(super) fn credentials(given: &Given) -> Option<Arc<Credentials>> {
    given.as_ref().map(|held| Arc::clone(&held.0))
}

/// Adds the functions to the native table.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    // credentials{cert =, key =, ca =, verify =, server_name =}: a value for listen and open; or nil and what
    // is wrong. The Lua files have checked the types, and that cert and key are both there or none.
    let shared = Rc::clone(node);
    let credentials = move |_: &Lua, given: Table| {
        let path = |name| {
            let path: Option<LuaString> = given.raw_get(name)?;
            let path = path.map(|path| OsString::from_vec(path.as_bytes().to_vec()));
            Ok::<_, mlua::Error>(path.map(PathBuf::from))
        };
        let name: Option<LuaString> = given.raw_get("server_name")?;
        let settings = Settings {
            identity: path("cert")?.zip(path("key")?),
            ca: path("ca")?,
            verify: given.raw_get("verify")?,
            server_name: name.map(|name| name.to_string_lossy()),
        };
        Ok(match shared.borrow_mut().rooms.cluster.read_credentials(settings) {
            Ok(credentials) => (Some(Held(credentials)), None),
            Err(why) => (None, Some(why)),
        })
    };
    core.raw_set("credentials", lua.create_function(credentials)?)?;

    // credentials_used(credentials): whether a listener or a handle has them.
    let used = |_: &Lua, held: UserDataRef<Held>| Ok(Arc::strong_count(&held.0) > 1);
    core.raw_set("credentials_used", lua.create_function(used)?)?;

    // reload_credentials(default): what is wrong with a file, if anything.
    let shared = Rc::clone(node);
    let reload = move |_: &Lua, default: Given| {
        let default = default.as_ref().map(|held| &held.0);
        Ok(shared.borrow().rooms.cluster.reread_credentials(default).err())
    };
    core.raw_set("reload_credentials", lua.create_function(reload)?)?;

    // names(peer): those in the certificate of its last connection, if it has shown one.
    let shared = Rc::clone(node);
    let names = move |lua: &Lua, peer: u64| {
        let names = shared.borrow().rooms.cluster.names(Id::from_bits(peer));
        let list =
            |names: Arc<[Box<str>]>| lua.create_sequence_from(names.iter().map(|name| &**name));
        names.map(list).transpose()
    };
    core.raw_set("names", lua.create_function(names)?)
}
