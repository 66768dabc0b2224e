//! zproto beside lua-cjson.

use crate::process::Process;
use crate::report::Report;
use crate::rounds::Spread;
use crate::{Outcome, Plan};

const PROGRAM: &str = "bench/lua/codec.lua";

/// Fields of a struct.
const WIDTHS: [&str; 4] = ["10", "30", "100", "1000"];

/// Measures both.
pub fn measure(plan: &Plan, report: &mut Report) -> Outcome<()> {
    let ms = plan.of("200", "1000");
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let mut round = Process::start(false, "bin/silly", &[PROGRAM, ms])?;
        let mine = round.number()?;
        ours.push(mine);
        if let Ok(other) = round.number() {
            theirs.push(other);
            ratios.push(other / mine);
        }
    }
    report.section(
        "zproto",
        "encode, pack, unpack and decode of 10 fields, one of them an array of 20 structs, beside \
         encode and decode of the same table by lua-cjson, in one process.",
    );
    report.header(&["zproto", "lua-cjson", "times faster", "aim"]);
    let microseconds = |figures: Vec<f64>| format!("{:.1} us", Spread::of(figures).median / 1000.0);
    let missing = "lua-cjson is not there";
    report.row(&[
        &microseconds(ours),
        &if theirs.is_empty() { missing.to_owned() } else { microseconds(theirs) },
        &if ratios.is_empty() {
            missing.to_owned()
        } else {
            format!("**{:.2}**", Spread::of(ratios).median)
        },
        "at least 2",
    ]);
    report.text_line("The same of one struct with so many integers, in nanoseconds per field:");
    report.header(&WIDTHS.map(|width| width));
    let mut cells = Vec::new();
    for width in WIDTHS {
        let figures =
            (0..3).map(|_| Process::start(false, "bin/silly", &[PROGRAM, ms, width])?.number());
        cells.push(format!("{:.0}", Spread::of(figures.collect::<Outcome<_>>()?).median));
    }
    report.row(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    Ok(())
}
