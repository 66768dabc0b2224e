//! The program prints what its own first comment says.

use std::process::Command;

#[test]
fn it_prints_what_it_says() {
    let promised: Vec<&str> = include_str!("../src/main.rs")
        .lines()
        .skip_while(|line| *line != "//! Prints:")
        .skip(1)
        .map_while(|line| line.strip_prefix("//!   "))
        .collect();
    assert!(!promised.is_empty());
    let output = Command::new(env!("CARGO_BIN_EXE_rust-host")).output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().collect::<Vec<_>>(), promised);
}
