//! Name lookups, through mlua's safe interface. Expected failures are nil and a message; the Lua
//! files raise where a script has made a mistake.

use std::net::SocketAddr;
use std::rc::Rc;

use mlua::{Lua, LuaString, Result, Table, Value, Variadic};

use crate::net::address::Address;
use crate::net::endpoint::Endpoint;
use crate::net::record::{Kind, Record, Service};

use super::time::milliseconds;
use super::{Shared, slot};

/// Adds the functions to the native table.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    // lookup(name, kind, timeout): the slot to wait on; or nil and why it cannot begin.
    let shared = Rc::clone(node);
    let lookup = move |_: &Lua, (name, kind, timeout): (LuaString, u16, f64)| {
        let Some(kind) = Kind::from_number(kind) else {
            return Ok((None, Some(format!("type {kind} is unknown"))));
        };
        let mut node = shared.borrow_mut();
        let node = &mut *node;
        let (name, timeout) = (name.to_string_lossy(), milliseconds(timeout));
        Ok(match node.rooms.lookups.start(&mut node.reactor, name, kind, timeout) {
            Ok(lookup) => (Some(slot(lookup)), None),
            Err(refusal) => (None, Some(refusal.to_string())),
        })
    };
    core.raw_set("lookup", lua.create_function(lookup)?)?;

    // answer(): what the lookup has found whose event was handed over last: a list; or nil and a
    // message.
    let shared = Rc::clone(node);
    let answer = move |lua: &Lua, ()| {
        let answer = shared.borrow_mut().rooms.lookups.take();
        Ok(match answer {
            Some(Ok(found)) => (Some(list(lua, &found)?), None),
            Some(Err(why)) => (None, Some(why.to_string())),
            None => (None, None),
        })
    };
    core.raw_set("answer", lua.create_function(answer)?)?;

    // name_servers(address...): true; or nil and what is wrong with one of them.
    let shared = Rc::clone(node);
    let name_servers = move |_: &Lua, addresses: Variadic<LuaString>| {
        let servers: std::result::Result<Vec<SocketAddr>, String> =
            addresses.iter().map(|address| literal(&address.to_string_lossy())).collect();
        Ok(match servers {
            Ok(servers) => {
                shared.borrow_mut().reactor.set_name_servers(servers);
                (Some(true), None)
            }
            Err(problem) => (None, Some(problem)),
        })
    };
    core.raw_set("name_servers", lua.create_function(name_servers)?)
}

fn literal(text: &str) -> std::result::Result<SocketAddr, String> {
    match text.parse() {
        Ok(Address::Endpoint(Endpoint::Net(address))) => Ok(address),
        Ok(_) => Err(format!(
            r#"bad address {text:?}: a name server is known by its address alone; wanted "ip:port" or "[ipv6]:port""#
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// Addresses as strings, services as tables.
fn list(lua: &Lua, found: &[Record]) -> Result<Table> {
    let list = lua.create_table_with_capacity(found.len(), 0)?;
    for record in found {
        list.raw_push(match record {
            Record::A(_) | Record::Aaaa(_) => Value::String(lua.create_string(record.to_string())?),
            Record::Srv(Service { priority, weight, port, target }) => {
                let service = lua.create_table_with_capacity(0, 4)?;
                service.raw_set("priority", *priority)?;
                service.raw_set("weight", *weight)?;
                service.raw_set("port", *port)?;
                service.raw_set("target", &**target)?;
                Value::Table(service)
            }
        })?;
    }
    Ok(list)
}
