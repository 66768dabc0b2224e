//! The processes that are measured.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::{Outcome, Plan};

/// Where the Lua programs are.
const NODE: &str = "bench/lua/node.lua";

/// One process, ended with its value.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Runs the library's program in one of its roles.
    pub fn node(pinned: bool, arguments: &[&str]) -> Outcome<Process> {
        Process::start(pinned, "bin/silly", &[&[NODE], arguments].concat())
    }

    /// The same, with TLS.
    pub fn sealed_node(plan: &Plan, pinned: bool, arguments: &[&str]) -> Outcome<Process> {
        let variable = format!("CERTIFICATES={}", plan.certificates);
        let program = [&variable, "bin/silly", NODE];
        Process::start(pinned, "env", &[&program[..], arguments].concat())
    }

    /// Runs the floor.
    pub fn floor(plan: &Plan, pinned: bool, arguments: &[&str]) -> Outcome<Process> {
        let path = plan.floor.to_str().ok_or("the path of the floor is no text")?;
        Process::start(pinned, path, arguments)
    }

    /// Runs a program; pinned: on the first processor only.
    pub fn start(pinned: bool, program: &str, arguments: &[&str]) -> Outcome<Process> {
        let mut command = if pinned {
            let mut command = Command::new("taskset");
            command.args(["-c", "0", program]);
            command
        } else {
            Command::new(program)
        };
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let output = child.stdout.take().ok_or("no output to read")?;
        Ok(Process { child, output: BufReader::new(output) })
    }

    /// Sends it an empty line.
    pub fn go_on(&mut self) -> Outcome<()> {
        let input = self.child.stdin.as_mut().ok_or("no input to write to")?;
        Ok(input.write_all(b"\n")?)
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        match line.trim_end() {
            "" => Err("a process ended without a result".into()),
            text => Ok(text.to_owned()),
        }
    }

    /// The number in the next line that it prints.
    pub fn number(&mut self) -> Outcome<f64> {
        let line = self.line()?;
        line.parse().map_err(|_| format!("a number was expected, not {line:?}").into())
    }

    /// How much of its memory is resident, in bytes.
    pub fn resident(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.ok_or("no VmRSS")?.parse::<f64>()? * 1024.0)
    }

    /// The processor time it has used, in nanoseconds.
    pub fn cpu(&self) -> Outcome<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.child.id()))?;
        Ok(text.split_whitespace().next().ok_or("no schedstat")?.parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
