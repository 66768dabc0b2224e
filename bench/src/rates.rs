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

impl Line {
    /// Less is better.
    fn is_time(&self) -> bool {
        matches!(self.kind, Kind::RoundTrip)
    }

    /// Of rates; or of times.
    fn ratio(&self, rates: Spread) -> Spread {
        if self.is_time() { invert(rates) } else { rates }
    }

    fn show(&self, rate: f64) -> String {
        match self.kind {
            Kind::Calls(_) => format!("{} calls/s", count(rate)),
            Kind::Sends => format!("{} sends/s", count(rate)),
            Kind::RoundTrip => format!("{:.1} us", 1e6 / rate),
        }
    }
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
        let mut ours = || ours(line, ms, &Process::node);
        let mut floor = || floor(plan, line, ms);
        let pair = in_turn(plan.of(5, 7), &mut ours, &mut floor)?;
        let (ratio, is_time) = (line.ratio(pair.ratio), line.is_time());
        report.row(&[
            line.name,
            &line.show(pair.second.median),
            &line.show(pair.first.median),
            &format!("**{:.3}** ({:.3} to {:.3})", ratio.median, ratio.least, ratio.most),
            &format!("{} {:.2}", if is_time { "at most" } else { "at least" }, line.target),
        ]);
        rates.push(Rate { name: line.name, ratio, target: line.target, is_time });
    }
    Ok(rates)
}

/// Measures what TLS costs: the same lines with it and without.
pub fn measure_sealed(plan: &Plan, report: &mut Report) -> Outcome<()> {
    let ms = plan.of("400", "1500");
    report.section(
        "With TLS",
        "The same with TLS 1.3 and certificates on both sides, beside plain connections. Both run in turn; \
         the ratio is that of TLS to plain.",
    );
    report.header(&["", "plain", "TLS", "ratio"]);
    for line in &LINES {
        let mut sealed =
            || ours(line, ms, &|pinned, role| Process::sealed_node(plan, pinned, role));
        let mut plain = || ours(line, ms, &Process::node);
        let pair = in_turn(plan.of(3, 7), &mut sealed, &mut plain)?;
        let ratio = line.ratio(pair.ratio);
        report.row(&[
            line.name,
            &line.show(pair.second.median),
            &line.show(pair.first.median),
            &format!("**{:.3}** ({:.3} to {:.3})", ratio.median, ratio.least, ratio.most),
        ]);
    }
    Ok(())
}

fn invert(spread: Spread) -> Spread {
    Spread { median: 1.0 / spread.median, least: 1.0 / spread.most, most: 1.0 / spread.least }
}

/// The library's rate; `node` starts its processes.
fn ours(line: &Line, ms: &str, node: &dyn Fn(bool, &[&str]) -> Outcome<Process>) -> Outcome<f64> {
    let pinned = line.is_time();
    let mut server = node(pinned, &["server"])?;
    let address = server.line()?;
    let mut client = match line.kind {
        Kind::Calls(callers) => node(pinned, &["client", &address, callers, line.size, ms])?,
        Kind::RoundTrip => node(pinned, &["client", &address, "1", line.size, ms])?,
        Kind::Sends => node(pinned, &["sender", &address, line.size, ms])?,
    };
    client.number()
}

fn floor(plan: &Plan, line: &Line, ms: &str) -> Outcome<f64> {
    let pinned = line.is_time();
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
