//! Nodes that find each other through etcd, through mlua's safe interface: the sub-table `discovery`.

use std::convert::identity;
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, LuaString, Result, Table, Value};

use crate::discovery::nodes::{Change, Fate};
use crate::discovery::{Line, Told};
use crate::node::Node;
use crate::reactor::Refusal;
use crate::registry::Id;

use super::time::milliseconds;
use super::{Shared, slot};

/// What begins something that is waited for: the slot to wait on and the thing's id; or nil, nil and why not.
type Begun = (Option<u32>, Option<u64>, Option<String>);

fn begun(outcome: std::result::Result<Option<Id>, Refusal>) -> Begun {
    match outcome {
        Ok(Some(id)) => (Some(slot(id)), Some(id.to_bits()), None),
        Ok(None) => (None, None, Some("closed".to_owned())),
        Err(refusal) => (None, None, Some(refusal.to_string())),
    }
}

/// What can be a key of ours.
fn text(given: &LuaString) -> std::result::Result<String, Begun> {
    match given.to_str() {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err((None, None, Some("the name is not UTF-8".to_owned()))),
    }
}

/// Adds the sub-table to the native table.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    let discovery = lua.create_table()?;
    lines(lua, &discovery, node)?;
    things(lua, &discovery, node)?;
    news(lua, &discovery, node)?;
    core.raw_set("discovery", discovery)
}

fn lines(lua: &Lua, discovery: &Table, node: &Shared) -> Result<()> {
    // open(endpoints, milliseconds, user, password): a line's id; or nil and what is wrong with an endpoint.
    let shared = Rc::clone(node);
    type Given = (Vec<LuaString>, f64, Option<LuaString>, Option<LuaString>);
    let open = move |_: &Lua, (endpoints, ms, user, password): Given| {
        let endpoints: Vec<String> = endpoints.iter().map(LuaString::to_string_lossy).collect();
        let user = user.map(|name| {
            (name.to_string_lossy(), password.map_or(String::new(), |word| word.to_string_lossy()))
        });
        let mut node = shared.borrow_mut();
        let patience = Duration::from_millis(milliseconds(ms));
        Ok(match Line::new(&endpoints, user, patience, node.reactor.resolver()) {
            Ok(line) => (Some(node.rooms.discovery.open(line).to_bits()), None),
            Err(problem) => (None, Some(problem)),
        })
    };
    discovery.raw_set("open", lua.create_function(open)?)?;

    // In a forked child nothing is closed, neither here nor below: the connection is the parent's.
    let shared = Rc::clone(node);
    let close = move |_: &Lua, line: u64| {
        let mut node = shared.borrow_mut();
        if !node.reactor.is_forked() {
            node.rooms.discovery.close(Id::from_bits(line));
        }
        Ok(())
    };
    discovery.raw_set("close", lua.create_function(close)?)
}

fn things(lua: &Lua, discovery: &Table, node: &Shared) -> Result<()> {
    // join(line, key, address, seconds)
    let shared = Rc::clone(node);
    let join = move |_: &Lua, (line, key, addr, ttl): (u64, LuaString, LuaString, u32)| {
        let mut node = shared.borrow_mut();
        let Node { rooms, reactor, .. } = &mut *node;
        Ok(text(&key).map_or_else(identity, |key| {
            let (line, addr) = (Id::from_bits(line), addr.to_string_lossy());
            begun(rooms.discovery.join(reactor, line, key, addr, ttl))
        }))
    };
    discovery.raw_set("join", lua.create_function(join)?)?;

    // watch(line, prefix)
    let shared = Rc::clone(node);
    let watch = move |_: &Lua, (line, prefix): (u64, LuaString)| {
        let mut node = shared.borrow_mut();
        let Node { rooms, reactor, .. } = &mut *node;
        Ok(text(&prefix).map_or_else(identity, |prefix| {
            begun(rooms.discovery.watch(reactor, Id::from_bits(line), prefix))
        }))
    };
    discovery.raw_set("watch", lua.create_function(watch)?)?;

    // leave(member): whether its end is to be waited for; or nil and why it cannot begin.
    let shared = Rc::clone(node);
    let leave = move |_: &Lua, member: u64| {
        let mut node = shared.borrow_mut();
        let Node { rooms, reactor, .. } = &mut *node;
        if reactor.is_forked() {
            return Ok((None, Some(Refusal::Forked.to_string())));
        }
        Ok(match rooms.discovery.leave(reactor, Id::from_bits(member)) {
            Ok(begun) => (Some(begun), None),
            Err(refusal) => (None, Some(refusal.to_string())),
        })
    };
    discovery.raw_set("leave", lua.create_function(leave)?)?;

    let shared = Rc::clone(node);
    let unwatch = move |_: &Lua, view: u64| {
        let mut node = shared.borrow_mut();
        if !node.reactor.is_forked() {
            node.rooms.discovery.end(Id::from_bits(view));
        }
        Ok(())
    };
    discovery.raw_set("unwatch", lua.create_function(unwatch)?)?;

    // withdraw(slot): nobody waits on it any more.
    let shared = Rc::clone(node);
    let withdraw = move |_: &Lua, slot: u32| {
        let mut node = shared.borrow_mut();
        if !node.reactor.is_forked() {
            node.rooms.discovery.withdraw(slot.wrapping_sub(1));
        }
        Ok(())
    };
    discovery.raw_set("withdraw", lua.create_function(withdraw)?)
}

fn news(lua: &Lua, discovery: &Table, node: &Shared) -> Result<()> {
    // nodes(view): a list of tables with `name` and `addr`.
    let shared = Rc::clone(node);
    let nodes = move |lua: &Lua, view: u64| {
        let node = shared.borrow();
        let list = lua.create_table()?;
        for (name, addr) in node
            .rooms
            .discovery
            .nodes(Id::from_bits(view))
            .into_iter()
            .flat_map(|nodes| nodes.iter())
        {
            let entry = lua.create_table_with_capacity(0, 2)?;
            entry.raw_set("name", name)?;
            entry.raw_set("addr", addr)?;
            list.raw_push(entry)?;
        }
        Ok(list)
    };
    discovery.raw_set("nodes", lua.create_function(nodes)?)?;

    // told(): what the event is about that was handed over last. The end of a wait is false and what it has
    // come to, or nil and why it came to nothing; a change is its name, and the node's name and address.
    let shared = Rc::clone(node);
    let told = move |lua: &Lua, ()| {
        let told = shared.borrow_mut().rooms.discovery.take();
        let text = |text: &str| lua.create_string(text).map(Value::String);
        Ok(match told {
            Some(Told::Over(Ok(number))) => {
                (Value::Boolean(false), Value::Integer(number.into()), Value::Nil)
            }
            Some(Told::Over(Err(why))) => (Value::Boolean(false), Value::Nil, text(why.as_str())?),
            Some(Told::Change(Change { fate, name, addr })) => {
                let fate = match fate {
                    Fate::Joined => "joined",
                    Fate::Left => "left",
                    Fate::Moved => "moved",
                };
                (text(fate)?, text(&name)?, text(&addr)?)
            }
            None => (Value::Nil, Value::Nil, Value::Nil),
        })
    };
    discovery.raw_set("told", lua.create_function(told)?)
}
