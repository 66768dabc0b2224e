//! Whether a call costs the same beside much else: processor time of both processes, per call of 64
//! callers.

use crate::process::Process;
use crate::report::{Report, count};
use crate::rounds::{Spread, level};
use crate::{Outcome, Plan};

/// The cost of a call by how much there is of one thing.
pub struct Curve {
    pub name: &'static str,
    /// How much, and microseconds.
    pub points: Vec<(f64, f64)>,
}

/// What there is so much of: the role's word for it, the name, the amounts.
const BESIDE: [(&str, &str, &[&str]); 3] = [
    ("connections", "connections", &["1", "100", "1000", "10000"]),
    ("parked", "parked calls", &["0", "1000", "10000", "100000"]),
    ("timers", "pending timers", &["0", "1000", "10000", "100000"]),
];

/// Calls in a row, in so many chunks.
const CHUNKS: usize = 10;

/// Measures all of it.
pub fn measure(plan: &Plan, report: &mut Report) -> Outcome<Vec<Curve>> {
    report.section(
        "Growth",
        "Processor time of both processes per call of 64 callers with 32 bytes, in microseconds, \
         beside so much else, from rounds that measure each amount once, as parts of the round's \
         mean. The aim is that the dearest costs at most 1.15 times the cheapest. Calls before are \
         measured chunk by chunk, each beside fresh processes.",
    );
    report.header(&["beside", "", "", "", "", "most by least"]);
    let mut curves = Vec::new();
    for (what, name, amounts) in BESIDE {
        // The ends only, where time is short.
        let amounts: Vec<&str> =
            if plan.quick { vec![amounts[0], amounts[3]] } else { amounts.to_vec() };
        let rounds: Vec<Vec<f64>> = (0..plan.of(3, 9))
            .map(|_| {
                amounts.iter().map(|amount| beside(what, amount, plan.of(40_000, 80_000))).collect()
            })
            .collect::<Outcome<_>>()?;
        let amounts = amounts.iter().map(|amount| amount.parse().unwrap_or(0.0));
        let points: Vec<(f64, f64)> = amounts.zip(level(&rounds)).collect();
        row(report, name, &points);
        curves.push(Curve { name, points });
    }
    let points = chunks(plan.of(50_000, 1_000_000))?;
    let ends: Vec<(f64, f64)> = [0, 3, 6, 9].into_iter().map(|index| points[index]).collect();
    row(report, "calls before", &ends);
    curves.push(Curve { name: "calls before", points });
    Ok(curves)
}

fn row(report: &mut Report, name: &str, points: &[(f64, f64)]) {
    let mut cells = vec![name.to_owned()];
    cells.extend(points.iter().map(|(amount, cost)| format!("{}: {cost:.2}", count(*amount))));
    cells.resize(5, String::new());
    let costs = Spread::of(points.iter().map(|(_, cost)| *cost).collect());
    cells.push(format!("**{:.2}**", costs.most / costs.least));
    report.row(&cells.iter().map(String::as_str).collect::<Vec<_>>());
}

fn beside(what: &str, amount: &str, calls: usize) -> Outcome<f64> {
    let mut server = Process::node(false, &["server"])?;
    let address = server.line()?;
    Process::node(false, &["beside", &address, what, amount, &calls.to_string()])?.number()
}

/// One chunk of calls after the other in the same two processes, each as a multiple of what fresh ones
/// need right before and after it.
fn chunks(each: usize) -> Outcome<Vec<(f64, f64)>> {
    let mut server = Process::node(false, &["server"])?;
    let address = server.line()?;
    let mut client =
        Process::node(false, &["chunks", &address, &CHUNKS.to_string(), &each.to_string()])?;
    let fresh = || beside("connections", "1", each / 4);
    let (mut costs, mut ratios) = (vec![fresh()?], Vec::new());
    for chunk in 0..CHUNKS {
        client.go_on()?;
        let cost = client.number()?;
        costs.push(fresh()?);
        let around = (costs[chunk] + costs[chunk + 1]) / 2.0;
        ratios.push(((chunk * each) as f64, cost / around));
    }
    let typical = Spread::of(costs).median;
    Ok(ratios.into_iter().map(|(before, ratio)| (before, ratio * typical)).collect())
}
