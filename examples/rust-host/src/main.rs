//! A program with a loop of its own, whose script talks over the network.
//!
//! Between two turns of the script's loop the program does its own work: here it hands on what a thread
//! has finished, for which a task of the script waits.
//!
//! Prints:
//!   host: loaded the script, nothing has run yet
//!   script: asks for a map
//!   host: a thread loads harbour
//!   host: harbour is there
//!   script: the map of harbour
//!   host: nothing is pending any more

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use silly_cluster::mlua::{self, Function, Lua};

/// A turn waits at most so many milliseconds for the network. More would let what the threads have
/// finished lie for longer; less would cost processor time while nothing happens.
const WAIT: u32 = 10;

fn main() -> mlua::Result<()> {
    let lua = Lua::new();
    silly_cluster::register(&lua)?;

    // Lua stays on this thread: the others get the number of a task and give it back.
    let (finished, finishes) = mpsc::channel();
    let waiting: Rc<RefCell<Vec<Option<mlua::Thread>>>> = Rc::default();
    let tasks = Rc::clone(&waiting);
    let begin_loading = lua.create_function(move |_, (task, name): (mlua::Thread, String)| {
        println!("host: a thread loads {name}");
        let number = tasks.borrow().len();
        tasks.borrow_mut().push(Some(task));
        let finished = finished.clone();
        thread::spawn(move || finished.send((number, name)));
        Ok(())
    })?;
    lua.load(include_str!("script.lua")).set_name("@script.lua").call::<()>(begin_loading)?;
    println!("host: loaded the script, nothing has run yet");

    let step: Function = lua.load("require('silly').step").eval()?;
    let wakeup: Function = lua.load("require('silly.task').wakeup").eval()?;
    while step.call::<bool>(WAIT)? {
        for (number, name) in finishes.try_iter() {
            println!("host: {name} is there");
            let task = waiting.borrow_mut().get_mut(number).and_then(Option::take);
            wakeup.call::<()>((task, format!("the map of {name}")))?;
        }
    }
    println!("host: nothing is pending any more");
    Ok(())
}
