//! For a program in Rust that embeds Lua: what an interpreter would find in files.

use mlua::{Error, Function, Lua, Result};

/// Name, path below lua/ and text of every Lua file that scripts may require; build.rs makes the list.
const FILES: &[(&str, &str, &str)] = &include!(concat!(env!("OUT_DIR"), "/lua_files.rs"));

/// Makes `require "silly"`, `require "silly.net.cluster"`, `require "zproto"` and all other modules work
/// in a Lua state that the program has made. No file is read: the modules are inside the program, and
/// come before any of the same name on `package.path`.
///
/// Nothing runs yet, and no descriptor, thread or signal handler is there before a script uses the
/// network. Called again it changes nothing that a script has, so whoever shares a state need not ask.
///
/// # One node for each state
///
/// Listeners, connections, tasks and timers belong to the [`Lua`] they were made in, and are closed when
/// it is dropped. States know nothing of each other; two in one program talk over TCP, like any others.
/// The log's output and signals are the process's.
///
/// # Driving the loop
///
/// Tasks run, and sockets move, only while the program calls into one of these functions of the module
/// `silly`:
///
/// - `silly.step(ms)`: one turn, which waits at most `ms` milliseconds for something to happen, and with
///   0 never. It returns whether anything can still happen. For a program with a loop of its own.
/// - `silly.run(main)`: turns until nothing can happen any more or a script calls `silly.exit`, whose
///   status it returns; `main`, a function or nil, is the first task. The process is not ended, but
///   while it runs Ctrl-C (SIGINT) has its default action, which is to end it.
/// - `silly.fd()`: on Linux a descriptor for a poll set of the program's, readable whenever
///   `silly.step(0)` would do something. It stays the same as long as the state; never close it.
///   `silly.timeout()` gives the milliseconds until a step is due, sockets aside, or nil.
///
/// What *waits* according to the reference (`cluster.call`, `time.sleep`, ...) must run in a task, made
/// by `task.fork`. The chunk that the program executes is none.
///
/// # Threads, and tokio
///
/// mlua keeps a state on the thread that made it, and so is everything in it. Once a script has used the
/// network, no turn can run on a thread that is inside a tokio runtime, also not in its `spawn_blocking`:
/// `silly.step` and `silly.run` raise an error there. Give the state a `std::thread` of its own.
///
/// mlua's async functions are not used, and of little use to tasks, since they need mlua's own executor: a
/// task that calls one is parked as soon as that has to wait, and nothing wakes it. Let a plain function
/// begin the work elsewhere, let the task call `task.wait()`, and have the program call
/// `task.wakeup(thread, value)` between two turns when the work is done. The repository's
/// examples/rust-host shows it.
///
/// # The state
///
/// [`Lua::new`] has all that is needed. `io`, `os` and `debug` may be missing; with `debug`, which takes
/// `Lua::unsafe_new`, errors of tasks are logged with a traceback, and lines of `silly.logger` with their
/// place. Leave `LuaOptions::catch_rust_panics` at true: without it mlua replaces `pcall` by one that no
/// task can wait in.
///
/// # Errors
///
/// When the state has no `require` (it was made without `StdLib::PACKAGE`), or Lua has no memory left.
///
/// # Example
///
/// ```
/// use silly_cluster::mlua::{Function, Lua, Result};
///
/// fn main() -> Result<()> {
///     let lua = Lua::new();
///     silly_cluster::register(&lua)?;
///     lua.load(
///         r#"
///         local cluster, task = require "silly.net.cluster", require "silly.task"
///         cluster.serve {
///             marshal = function(_, cmd, body) return body and cmd, body end,
///             unmarshal = function(_, _, data) return data end,
///             call = function(_, _, body) return body:upper() end,
///         }
///         local listener = assert(cluster.listen("127.0.0.1:0"))
///         task.fork(function()
///             local peer = cluster.connect(listener.addr)
///             answer = cluster.call(peer, 1, "hello")
///             cluster.close(peer)
///             cluster.close(listener)
///         end)
///         "#,
///     )
///     .exec()?;
///
///     let step: Function = lua.load(r#"require("silly").step"#).eval()?;
///     while step.call::<bool>(10)? {
///         // The program's own work goes here.
///     }
///     assert_eq!(lua.globals().get::<String>("answer")?, "HELLO");
///     Ok(())
/// }
/// ```
pub fn register(lua: &Lua) -> Result<()> {
    // mlua says nothing when there is no table to put a module into.
    if lua.globals().raw_get::<Option<Function>>("require")?.is_none() {
        return Err(Error::runtime(
            "silly_cluster::register: this Lua state has no `require`; make it with StdLib::PACKAGE",
        ));
    }
    // Plain Lua functions, so that what a module raises is what `require` raises.
    for (name, path, text) in FILES {
        lua.preload_module(name, lua.load(*text).set_name(format!("@{path}")).into_function()?)?;
    }
    lua.preload_module("silly.core", lua.create_function(|lua, ()| super::open(lua))?)
}
