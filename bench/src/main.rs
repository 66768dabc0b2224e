//! The benchmarks: runs the library and the floor in turn, prints what came out, and writes it to
//! bench/RESULTS.md with a chart beside it.
//!
//!     bench quick|full LUA CERTIFICATES     in the checkout's top, after `make build`
//!
//! - `process`: the processes that are measured; `rounds`: two of them in turn, and medians.
//! - `rates`, `memory`, `growth`, `codec`: one section of the results each.
//! - `report`, `chart`, `machine`: what becomes of them.

mod chart;
mod codec;
mod growth;
mod machine;
mod memory;
mod process;
mod rates;
mod report;
mod rounds;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use report::Report;

type Failure = Box<dyn Error>;
type Outcome<T> = Result<T, Failure>;

/// What to measure with, and for how long.
pub struct Plan {
    quick: bool,
    /// The interpreter that the library was built for.
    lua: String,
    floor: PathBuf,
    /// The directory of what spec/support/certificates.rs has made.
    certificates: String,
}

impl Plan {
    /// One of two amounts.
    fn of<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let plan = match &arguments[..] {
        [size, lua, certificates] if size == "quick" || size == "full" => Plan {
            quick: size == "quick",
            lua: lua.clone(),
            floor: env::current_exe()?.with_file_name("floor"),
            certificates: certificates.clone(),
        },
        _ => return Err("usage: bench quick|full LUA CERTIFICATES".into()),
    };
    let mut report = Report::new(machine::describe(&plan)?);
    let rates = rates::measure(&plan, &mut report)?;
    rates::measure_sealed(&plan, &mut report)?;
    memory::measure(&plan, &mut report)?;
    let curves = growth::measure(&plan, &mut report)?;
    codec::measure(&plan, &mut report)?;
    let folder = Path::new("bench");
    fs::write(folder.join("RESULTS.md"), report.text())?;
    chart::draw(&folder.join("results.svg"), &rates, &curves)?;
    eprintln!("written: bench/RESULTS.md, bench/results.svg");
    Ok(())
}
