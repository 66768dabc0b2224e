//! Linker flags of the module, and the commit it is built from.

use std::fs;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=SILLY_GITSHA1={}", commit().unwrap_or_default());
    match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
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
