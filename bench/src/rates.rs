//! Calls and messages per second, as a part of the floor's.

use crate::process::Process;
use crate::report::{Report, count};
use crate::rounds::{Spread, in_turn};
use crate::{Outcome, Plan};

/// What is compared with the floor.
struct Line {
    name: &'static str,
    kind: Kind,
    size: &'static str,
    /// What is aimed at: a part of the floor's rate, or for one caller times its round trip.
    target: f64,
}

enum Kind {
    /// So many callers at once.
    Calls(&'static str),
    /// One caller, both processes on one processor: a round trip without the time that a sleeping
    /// processor takes to wake.
    RoundTrip,
    /// Messages that nobody answers.
    Sends,
}

const LINES: [Line; 5] = [
    Line { name: "64 callers, 32 bytes", kind: Kind::Calls("64"), size: "32", target: 0.45 },
    Line { name: "1,000 callers, 32 bytes", kind: Kind::Calls("1000"), size: "32", target: 0.10 },
    Line { name: "64 callers, 16 KiB", kind: Kind::Calls("64"), size: "16384", target: 0.40 },
    Line { name: "one-way sends, 32 bytes", kind: Kind::Sends, size: "32", target: 0.10 },
    Line { name: "1 caller, one processor", kind: Kind::RoundTrip, size: "32", target: 1.25 },
];

/// A line's result.
pub struct Rate {
    pub name: &'static str,
    pub ratio: Spread,
    pub target: f64,
    /// Less is better.
    pub is_time: bool,
}

/// Measures all of them.
pub fn measure(plan: &Plan, report: &mut Report) -> Outcome<Vec<Rate>> {
    let ms = plan.of("400", "1500");
    report.section(
        "Beside the floor",
        "The floor (bench/src/bin/floor.rs) moves the same frames over one connection without Lua, \
         framework, deadlines or callbacks. Both run in turn, two processes each; the ratio is the \
         median of the rounds, with the least and the most. More is better, but for the round trip.",
    );
    report.header(&["", "floor", "silly-cluster", "ratio", "aim"]);
    let mut rates = Vec::new();
    for line in &LINES {
        let is_time = matches!(line.kind, Kind::RoundTrip);
        let mut ours = || ours(line, ms);
        let mut floor = || floor(plan, line, ms);
        let pair = in_turn(plan.of(5, 7), &mut ours, &mut floor)?;
        let ratio = if is_time { invert(pair.ratio) } else { pair.ratio };
        let show = |rate: f64| match line.kind {
            Kind::Calls(_) => format!("{} calls/s", count(rate)),
            Kind::Sends => format!("{} sends/s", count(rate)),
            Kind::RoundTrip => format!("{:.1} us", 1e6 / rate),
        };
        report.row(&[
            line.name,
            &show(pair.second.median),
            &show(pair.first.median),
            &format!("**{:.3}** ({:.3} to {:.3})", ratio.median, ratio.least, ratio.most),
            &format!("{} {:.2}", if is_time { "at most" } else { "at least" }, line.target),
        ]);
        rates.push(Rate { name: line.name, ratio, target: line.target, is_time });
    }
    Ok(rates)
}

fn invert(spread: Spread) -> Spread {
    Spread { median: 1.0 / spread.median, least: 1.0 / spread.most, most: 1.0 / spread.least }
}

fn ours(line: &Line, ms: &str) -> Outcome<f64> {
    let pinned = matches!(line.kind, Kind::RoundTrip);
    let mut server = Process::node(pinned, &["server"])?;
    let address = server.line()?;
    let mut client = match line.kind {
        Kind::Calls(callers) => {
            Process::node(pinned, &["client", &address, callers, line.size, ms])?
        }
        Kind::RoundTrip => Process::node(pinned, &["client", &address, "1", line.size, ms])?,
        Kind::Sends => Process::node(pinned, &["sender", &address, line.size, ms])?,
    };
    client.number()
}

fn floor(plan: &Plan, line: &Line, ms: &str) -> Outcome<f64> {
    let pinned = matches!(line.kind, Kind::RoundTrip);
    if let Kind::Sends = line.kind {
        let mut sink = Process::floor(plan, pinned, &["sink", line.size, ms])?;
        let address = sink.line()?;
        let _sender = Process::floor(plan, pinned, &["sender", &address, line.size])?;
        return sink.number();
    }
    let callers = if let Kind::Calls(callers) = line.kind { callers } else { "1" };
    let mut server = Process::floor(plan, pinned, &["server"])?;
    let address = server.line()?;
    Process::floor(plan, pinned, &["client", &address, callers, line.size, ms])?.number()
}
