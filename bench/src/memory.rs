//! What is kept in memory.

use std::fs;
use std::net::TcpStream;

use crate::process::Process;
use crate::report::Report;
use crate::{Outcome, Plan};

/// Measures a fresh process, idle connections, calls in flight, and the library's file.
pub fn measure(plan: &Plan, report: &mut Report) -> Outcome<()> {
    report.section("Memory", "Resident memory as the system tells it.");
    report.header(&["", "measured", "aim"]);
    let mebibytes = |bytes: f64| format!("{:.2} MiB", bytes / 1024.0 / 1024.0);
    report.row(&[
        "a process that listens, above the bare interpreter",
        &mebibytes(fresh(plan)?),
        "at most 2 MiB",
    ]);
    let connections = plan.of(2000, 9000);
    report.row(&[
        &format!("each of {connections} idle connections"),
        &format!("{:.0} bytes", idle(connections)?),
        "at most 1,536 bytes",
    ]);
    let sealed = plan.of("500", "2000");
    report.row(&[
        &format!("each of {sealed} idle connections with TLS"),
        &format!("{:.0} bytes", idle_sealed(plan, sealed)?),
        "",
    ]);
    let calls = plan.of("20000", "100000");
    report.row(&[
        &format!("each of {calls} calls in flight, beyond a suspended coroutine"),
        &format!("{:.0} bytes", in_flight(calls)?),
        "at most 300 bytes",
    ]);
    let size = fs::metadata("build/silly/core.so")?.len() as f64;
    report.row(&["the library's file", &mebibytes(size), "at most 4.5 MiB"]);
    Ok(())
}

/// A process that has required the cluster and listens, above its interpreter alone.
fn fresh(plan: &Plan) -> Outcome<f64> {
    let wait = "io.write('here\\n') io.stdout:flush() io.read()";
    let mut bare = Process::start(false, &plan.lua, &["-e", wait])?;
    bare.line()?;
    let mut server = Process::node(false, &["server"])?;
    server.line()?;
    Ok(server.resident()? - bare.resident()?)
}

/// Per connection of a server that has accepted so many.
fn idle(connections: usize) -> Outcome<f64> {
    let mut server = Process::node(false, &["server"])?;
    let address = server.line()?;
    let open = |count| -> Outcome<Vec<TcpStream>> {
        (0..count).map(|_| Ok(TcpStream::connect(&address)?)).collect()
    };
    // Tables grow by doubling; the first connections pay for what all share.
    let _first = open(connections / 10)?;
    settle(&server)?;
    let before = server.resident()?;
    let _all = open(connections)?;
    settle(&server)?;
    Ok((server.resident()? - before) / connections as f64)
}

/// The same with TLS.
fn idle_sealed(plan: &Plan, connections: &str) -> Outcome<f64> {
    let mut server = Process::sealed_node(plan, false, &["server"])?;
    let address = server.line()?;
    let open = |count| -> Outcome<Process> {
        let mut client = Process::sealed_node(plan, false, &["idle", &address, count])?;
        client.line()?;
        Ok(client)
    };
    let _first = open("100")?;
    settle(&server)?;
    let before = server.resident()?;
    let _all = open(connections)?;
    settle(&server)?;
    Ok((server.resident()? - before) / connections.parse::<f64>()?)
}

/// Waits until a process does nothing any more.
fn settle(process: &Process) -> Outcome<()> {
    let mut before = process.cpu()?;
    loop {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let now = process.cpu()?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
}

/// Per call that waits for its answer, beyond what a coroutine takes that waits one call deep.
fn in_flight(calls: &str) -> Outcome<f64> {
    let mut server = Process::node(false, &["server"])?;
    let address = server.line()?;
    let call = Process::node(false, &["parked", &address, calls])?.number()?;
    let coroutine = Process::node(false, &["bare", calls])?.number()?;
    Ok(call - coroutine)
}
