//! What a Rust program that embeds Lua has of `silly_cluster::register`.

#![allow(clippy::unwrap_used, reason = "helpers are not exempt by themselves")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use silly_cluster::mlua::{Function, Lua, LuaOptions, Result, StdLib, Value};

/// What every script here begins with: a node that answers in capitals, and a function that calls one.
const NODE: &str = r#"
    local silly, task, time = require "silly", require "silly.task", require "silly.time"
    local cluster = require "silly.net.cluster"
    cluster.serve {
        timeout = 10000,
        marshal = function(_, cmd, body) return body and cmd, body end,
        unmarshal = function(_, _, data) return data end,
        call = function(_, _, body) return body:upper() end,
        close = function(_, errno) closed = errno end,
    }
    local function ask(addr, body)
        local peer = cluster.connect(addr)
        local answer, why = cluster.call(peer, 1, body)
        cluster.close(peer)
        return answer or "failed: " .. why
    end
"#;

fn state() -> Lua {
    let lua = Lua::new();
    silly_cluster::register(&lua).unwrap();
    // Whatever is found now is inside the program.
    lua.load("package.path, package.cpath = '', ''").exec().unwrap();
    lua
}

fn run(lua: &Lua, script: &str) {
    lua.load(format!("{NODE}{script}")).set_name("=script").exec().unwrap();
}

/// One turn of each state in turn, until `done` says so.
fn drive(states: &[&Lua], mut done: impl FnMut() -> bool) {
    let steps: Vec<Function> =
        states.iter().map(|lua| lua.load("require('silly').step").eval().unwrap()).collect();
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "it has not happened");
        for step in &steps {
            step.call::<bool>(1).unwrap();
        }
    }
}

/// Turns until nothing can happen any more.
fn finish(lua: &Lua) {
    drive(&[lua], || !lua.load("require('silly').pending()").eval::<bool>().unwrap());
}

fn text(lua: &Lua, name: &str) -> Option<String> {
    lua.globals().get(name).unwrap()
}

/// The modules below a directory, by name.
fn modules(directory: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_stem().unwrap().to_str().unwrap());
        if path.is_dir() {
            modules(&path, &format!("{name}."), names);
        } else if name != "silly.launcher" {
            names.push(name);
        }
    }
}

#[test]
fn every_module_is_inside() {
    let lua = state();
    let mut names = vec!["silly.core".to_owned()];
    modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("lua"), "", &mut names);
    assert!(names.contains(&"silly.net.cluster".to_owned()));
    for name in names {
        lua.load(format!("return require '{name}'")).exec().unwrap();
    }
    assert!(lua.load("return package.preload['silly.launcher'] == nil").eval::<bool>().unwrap());
}

#[test]
fn both_ends_of_a_call_in_one_state() {
    let lua = state();
    run(
        &lua,
        r#"
        local listener = assert(cluster.listen "127.0.0.1:0")
        task.fork(function()
            answer = ask(listener.addr, "one state")
            cluster.close(listener)
        end)
        "#,
    );
    assert_eq!(text(&lua, "answer"), None);
    finish(&lua);
    assert_eq!(text(&lua, "answer").as_deref(), Some("ONE STATE"));
}

#[test]
fn two_states_are_two_nodes() {
    let (server, client) = (state(), state());
    run(&server, "addr = assert(cluster.listen '127.0.0.1:0').addr");
    client.globals().set("addr", text(&server, "addr")).unwrap();
    run(&client, "task.fork(function() answer = ask(addr, 'two states') end)");
    drive(&[&server, &client], || text(&client, "answer").is_some());
    assert_eq!(text(&client, "answer").as_deref(), Some("TWO STATES"));
    let counts = "local stats = require 'silly.net.cluster'.stats()
        return stats.requests_received, stats.requests_sent";
    assert_eq!(server.load(counts).eval::<(u32, u32)>().unwrap(), (1, 0));
    assert_eq!(client.load(counts).eval::<(u32, u32)>().unwrap(), (0, 1));
}

#[test]
fn a_dropped_state_closes_what_it_had() {
    let (server, client) = (state(), state());
    run(&server, "addr = assert(cluster.listen '127.0.0.1:0').addr");
    client.globals().set("addr", text(&server, "addr")).unwrap();
    run(
        &client,
        "task.fork(function() answer = cluster.call(cluster.connect(addr), 1, 'x') time.sleep(60000) end)",
    );
    drive(&[&server, &client], || text(&client, "answer").is_some());
    assert_eq!(text(&server, "closed"), None);
    drop(client);
    drive(&[&server], || text(&server, "closed").is_some());
}

#[test]
fn a_handler_may_be_a_function_in_rust() {
    let lua = state();
    let greet = |_: &Lua, (_, _, name): (Value, u32, String)| Ok(format!("Hello, {name}!"));
    lua.globals().set("greet", lua.create_function(greet).unwrap()).unwrap();
    run(
        &lua,
        r#"
        cluster.serve {
            marshal = function(_, cmd, body) return body and cmd, body end,
            unmarshal = function(_, _, data) return data end,
            call = greet,
        }
        local listener = assert(cluster.listen "127.0.0.1:0")
        task.fork(function()
            answer = ask(listener.addr, "Ada")
            cluster.close(listener)
        end)
        "#,
    );
    finish(&lua);
    assert_eq!(text(&lua, "answer").as_deref(), Some("Hello, Ada!"));
}

#[test]
fn registering_again_changes_nothing() {
    let lua = state();
    run(
        &lua,
        r#"
        before, first = cluster, silly.genid()
        waiting = task.fork(function() woken = task.wait() end)
        silly.step(0)
        "#,
    );
    silly_cluster::register(&lua).unwrap();
    lua.load(
        r#"
        assert(require "silly.net.cluster" == before)
        -- And also when everything is loaded anew.
        for name in pairs(package.loaded) do
            if name:find "^silly" then package.loaded[name] = nil end
        end
        package.preload["silly"] = nil
        "#,
    )
    .exec()
    .unwrap();
    silly_cluster::register(&lua).unwrap();
    run(
        &lua,
        r#"
        assert(cluster == before)
        assert(silly.genid() == first + 1)
        task.wakeup(waiting, "by the new one")
        "#,
    );
    finish(&lua);
    assert_eq!(text(&lua, "woken").as_deref(), Some("by the new one"));
}

#[test]
fn a_mistake_raises_a_message_that_says_where() {
    let lua = state();
    let wrong = "local ok, why = pcall(require 'silly.net.cluster'.listen, 1) return ok, why";
    let (ok, why): (bool, String) = lua.load(wrong).eval().unwrap();
    assert!(!ok && why.contains("cluster.listen"), "{why}");
    // What is raised in a file of ours has its path.
    let wrong = "select(2, pcall(require 'silly.task'.wakeup, 'no thread'))";
    let why: String = lua.load(wrong).eval().unwrap();
    assert!(why.contains("task.wakeup"), "{why}");
}

#[test]
fn io_and_os_may_be_missing() {
    let libraries = StdLib::ALL_SAFE ^ StdLib::IO ^ StdLib::OS;
    let lua = Lua::new_with(libraries, LuaOptions::default()).unwrap();
    silly_cluster::register(&lua).unwrap();
    run(
        &lua,
        r#"
        assert(not io and not os and not debug)
        local listener = assert(cluster.listen "127.0.0.1:0")
        silly.run(function()
            answer = ask(listener.addr, "little")
            cluster.close(listener)
        end)
        "#,
    );
    assert_eq!(text(&lua, "answer").as_deref(), Some("LITTLE"));
}

// States in Rust have no debug library, by which Lua files could tell these two apart.
#[test]
fn a_function_of_c_may_be_a_task() {
    let lua = state();
    run(
        &lua,
        r#"
        local thread = task.fork(coroutine.yield)
        silly.step(0)
        assert(task.status(thread) == "WAIT")
        task.wakeup(thread, "woken")
        silly.step(0)
        assert(task.status(thread) == nil)
        "#,
    );
}

#[test]
fn finalisers_may_fork_while_messages_pass() {
    let lua = state();
    run(
        &lua,
        r#"
        local listener = assert(cluster.listen "127.0.0.1:0")
        local forked, ran, answered = 0, 0, 0
        local function ends() ran = ran + 1 end
        local function finalise()
            for _ = 1, 3 do
                forked = forked + 1
                task.fork(ends)
            end
        end
        local function leave_garbage()
            if newproxy then
                getmetatable(newproxy(true)).__gc = finalise
            else
                setmetatable({}, { __gc = finalise })
            end
        end
        silly.run(function()
            local peer = cluster.connect(listener.addr)
            for round = 1, 3000 do
                leave_garbage()
                -- A new string each, or there would be no garbage.
                if cluster.call(peer, 1, ("x"):rep(1000) .. round) then answered = answered + 1 end
            end
            for _ = 1, 3 do -- until no finaliser is left
                collectgarbage()
                time.sleep(1)
            end
            cluster.close(peer)
            cluster.close(listener)
        end)
        assert(answered == 3000 and forked > 0)
        assert(ran == forked, ran .. " of " .. forked .. " ran")
        "#,
    );
}

#[test]
fn without_require_there_is_an_error() {
    let lua = Lua::new_with(StdLib::NONE, LuaOptions::default()).unwrap();
    let why = silly_cluster::register(&lua).unwrap_err().to_string();
    assert!(why.contains("this Lua state has no `require`"), "{why}");
}

#[test]
fn an_exit_ends_the_loop_and_not_the_process() {
    let lua = state();
    let exit = "local silly = require 'silly' return silly.run(function() silly.exit(3) end)";
    assert_eq!(lua.load(exit).eval::<u32>().unwrap(), 3);
}

#[test]
fn a_turn_inside_a_runtime_of_tokio_is_refused() {
    let lua = state();
    run(&lua, "assert(cluster.listen '127.0.0.1:0')");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let step: Function = lua.load("require('silly').step").eval().unwrap();
    let refused: Result<bool> = runtime.block_on(async { step.call(0) });
    let why = refused.unwrap_err().to_string();
    assert!(why.contains("inside a tokio runtime of the host"), "{why}");
    assert!(step.call::<bool>(0).unwrap());
    // Neither does the end of a state panic there.
    runtime.block_on(async { drop((step, lua)) });
}

#[test]
fn zproto_is_there() {
    let lua = state();
    let sum: u32 = lua
        .load(
            r#"
            local proto = assert(require "zproto":parse "add 0x01 { .numbers:integer[] 1 }")
            local bytes = proto:pack(proto:encode("add", { numbers = { 1, 2 } }))
            local numbers = proto:decode("add", proto:unpack(bytes)).numbers
            return numbers[1] + numbers[2]
            "#,
        )
        .eval()
        .unwrap();
    assert_eq!(sum, 3);
}

// LuaJIT lets nobody bound its memory.
#[cfg(not(feature = "luajit"))]
#[test]
fn a_limit_of_memory_costs_messages_and_not_the_loop() {
    let lua = state();
    run(
        &lua,
        r#"
        local listener = assert(cluster.listen "127.0.0.1:0")
        local peer
        require "silly.logger".setoutput "/dev/null" -- what is lost is logged
        function try(body)
            answer = nil
            task.fork(function()
                peer = peer or cluster.connect(listener.addr)
                local came, why = cluster.call(peer, 1, body, 200)
                answer = came or why
            end)
        end
        "#,
    );
    let attempt = |body: &str, slack: Option<usize>| {
        lua.globals().get::<Function>("try").unwrap().call::<()>(body).unwrap();
        lua.gc_collect().unwrap();
        lua.set_memory_limit(slack.map_or(0, |slack| lua.used_memory() + slack)).unwrap();
        drive(&[&lua], || text(&lua, "answer").is_some());
        lua.set_memory_limit(0).unwrap();
        text(&lua, "answer").unwrap()
    };
    assert_eq!(attempt("before", None), "BEFORE");
    // Enough for the loop, and not for the bodies of a question and its answer at both ends.
    let answers: Vec<String> = [20_000, 50_000, 80_000]
        .iter()
        .map(|slack| attempt(&"x".repeat(60_000), Some(*slack)))
        .collect();
    for answer in &answers {
        assert!(answer == "timeout" || answer == "not enough memory", "{answer:.100}");
    }
    assert_eq!(attempt("after", None), "AFTER");
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_library_without_tls_says_so_where_it_is_asked_for() {
    let lua = state();
    run(
        &lua,
        "local ok, why = pcall(cluster.listen, '127.0.0.1:0', nil, { tls = { verify = false } })
        outcome = not ok and why",
    );
    let outcome = text(&lua, "outcome").unwrap();
    let wanted = "cluster.listen: option 'tls': this library was built without TLS";
    assert!(outcome.contains(wanted), "{outcome}");
}
