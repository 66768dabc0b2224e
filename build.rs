//! Linker flags of the module, the commit it is built from, and the Lua files for hosts in Rust.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=SILLY_GITSHA1={}", commit().unwrap_or_default());
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        // Lua unloads modules when a state closes, while thread-local destructors of ours may
        // still be due: the library must never be unmapped.
        Ok("linux") => println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete"),
        // The symbols of Lua come from the program that loads the module.
        Ok("macos") => {
            println!("cargo:rustc-cdylib-link-arg=-undefined");
            println!("cargo:rustc-cdylib-link-arg=dynamic_lookup");
        }
        _ => {}
    }
    // An interpreter finds the Lua files by itself; a module that had them as well would only be larger.
    if env::var_os("CARGO_FEATURE_MLUA").is_some() && env::var_os("CARGO_FEATURE_MODULE").is_none()
    {
        println!("cargo:rerun-if-changed=lua");
        let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
        fs::write(out.join("lua_files.rs"), lua_files()?)?;
    }
    Ok(())
}

/// What src/lua/host.rs includes: the name that scripts require, the path below lua/ and the text of each
/// file, as the elements of an array.
fn lua_files() -> io::Result<String> {
    let mut list = String::from("[\n");
    for path in files_below(Path::new("lua"))? {
        let path = path.strip_prefix("lua").map_err(io::Error::other)?.display().to_string();
        // A script of an interpreter's, the only file that is no module.
        let Some(name) = path.strip_suffix(".lua").filter(|name| *name != "silly/launcher") else {
            continue;
        };
        let text = format!(
            "include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?}))",
            format!("/lua/{path}")
        );
        writeln!(list, "    ({:?}, {path:?}, {text}),", name.replace('/', "."))
            .map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    Ok(list)
}

/// All files below a directory, in the order of their names.
fn files_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files.append(&mut files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The commit of the checkout, read from git's own files so that git itself is not needed. `None`
/// where the sources came without it.
fn commit() -> Option<String> {
    let git = Path::new(".git");
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    println!("cargo:rerun-if-changed=.git/HEAD");
    let Some(reference) = head.trim().strip_prefix("ref: ") else {
        return Some(head.trim().to_owned());
    };
    println!("cargo:rerun-if-changed=.git/{reference}");
    fs::read_to_string(git.join(reference)).ok().map(|commit| commit.trim().to_owned())
}
