//! Builds Lua 5.5 for the tests, since no distribution has a package of it: the interpreter
//! `bin/lua5.5`, the module `socket`, and `include/` and `lib/` for programs in C that embed it.
//!
//! usage: lua55 TARGET DIRECTORY
//!
//! TARGET is the compiler's name for this machine. The sources come with the crate `lua-src`, all
//! but the interpreter's own.

use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::{env, fs};

/// As Lua's own makefile does.
const OPTIMIZE: &str = "2";

/// Where the sources of this crate are.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Compiles and links one file.
fn link<A: AsRef<OsStr>>(
    target: &str,
    source: &str,
    output: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Result<(), Box<dyn Error>> {
    if let Some(directory) = output.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut command = cc::Build::new()
        .target(target)
        .host(target)
        .opt_level_str(OPTIMIZE)
        .cargo_metadata(false)
        .warnings(true)
        .extra_warnings(true)
        .try_get_compiler()?
        .to_command();
    command.arg(Path::new(HERE).join(source)).arg("-o").arg(output).args(arguments);
    let status = command.status()?;
    if !status.success() {
        return Err(format!("{source} does not compile, {status}: {command:?}").into());
    }
    Ok(())
}

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

    let include = format!("-I{}", lua.include_dir().display());
    let module = directory.join("lib/lua/5.5/socket.so");
    // It finds Lua's functions in the program that requires it.
    let undefined =
        if target.contains("apple") { "-Wl,-undefined,dynamic_lookup" } else { "-fPIC" };
    link(&target, "socket.c", &module, [&include, "-shared", undefined])?;

    // The last of all: where it is, the others are.
    let mut options = vec![include, format!("-L{}", lua.lib_dir().display())];
    options.extend(lua.libs().iter().map(|name| format!("-l{name}")));
    options.push("-lm".to_string());
    if !target.contains("apple") {
        options.push("-Wl,--export-dynamic".to_string());
    }
    link(&target, "lua.c", &directory.join("bin/lua5.5"), options)
}
