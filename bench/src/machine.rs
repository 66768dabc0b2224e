//! What the results were measured on.

use std::fs;
use std::process::Command;
use std::thread;

use crate::{Outcome, Plan};

/// One paragraph.
pub fn describe(plan: &Plan) -> Outcome<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|rest| rest.split(": ").nth(1)).unwrap_or("an unknown processor");
    let cores = thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    Ok(format!(
        "`make bench{}` on {cores} processors ({model}), {}, {}, {}; load before it began: {load}. \
         Absolute figures hold for this machine and this hour, ratios travel better.",
        plan.of(" QUICK=1", ""),
        said("uname", &["-sr"])?,
        said(&plan.lua, &["-v"])?.split("  ").next().unwrap_or_default(),
        said("rustc", &["--version"])?,
    ))
}

fn said(program: &str, arguments: &[&str]) -> Outcome<String> {
    let output = Command::new(program).args(arguments).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}
