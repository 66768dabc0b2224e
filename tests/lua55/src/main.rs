//! Builds Lua 5.5 for the tests, since no distribution has a package of it: the interpreter `bin/lua5.5`
//! with the module `socket`, and `include/` and `lib/` for programs in C that embed it.
//!
//! usage: lua55 TARGET DIRECTORY
//!
//! TARGET is the compiler's name for this machine. The sources come with the crate `lua-src`, all but
//! the interpreter's own.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

/// As Lua's own makefile does.
const OPTIMIZE: &str = "2";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(target), Some(directory), None) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: lua55 TARGET DIRECTORY".into());
    };
    let directory = Path::new(&directory);
    let lua = lua_src::Build::new()
        .target(&target)
        .out_dir(directory)
        .opt_level(OPTIMIZE)
        .debug(false)
        .try_build(lua_src::Lua55)?;

    let bin = directory.join("bin");
    fs::create_dir_all(&bin)?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut link = cc::Build::new()
        .target(&target)
        .host(&target)
        .opt_level_str(OPTIMIZE)
        .cargo_metadata(false)
        .warnings(true)
        .extra_warnings(true)
        .try_get_compiler()?
        .to_command();
    link.arg("-I").arg(lua.include_dir());
    link.arg("-o").arg(bin.join("lua5.5"));
    link.arg(here.join("lua.c")).arg(here.join("socket.c"));
    link.arg("-L").arg(lua.lib_dir());
    link.args(lua.libs().iter().map(|name| format!("-l{name}")));
    // A module that is required finds Lua's functions in the interpreter.
    link.args(["-Wl,-export-dynamic", "-lm"]);
    let status = link.status()?;
    if !status.success() {
        return Err(format!("the interpreter is not to be had, {status}: {link:?}").into());
    }
    Ok(())
}
