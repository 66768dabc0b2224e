//! Whether a call costs the same beside much else: processor time of both processes, per call of 64
//! callers.

use crate::process::Process;
use crate::report::{Report, count};
use crate::rounds::Spread;
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
         beside so much else; the medians of rounds in turn. The aim is that the dearest costs at \
         most 1.15 times the cheapest.",
    );
    report.header(&["beside", "", "", "", "", "most by least"]);
    let mut curves = Vec::new();
    for (what, name, amounts) in BESIDE {
        // The ends only, where time is short.
        let amounts: Vec<&str> =
            if plan.quick { vec![amounts[0], amounts[3]] } else { amounts.to_vec() };
        let mut figures = vec![Vec::new(); amounts.len()];
        for _ in 0..plan.of(3, 5) {
            for (amount, figures) in amounts.iter().zip(&mut figures) {
                figures.push(beside(what, amount, plan.of("40000", "150000"))?);
            }
        }
        let points: Vec<(f64, f64)> = amounts
            .iter()
            .zip(figures)
            .map(|(amount, figures)| (amount.parse().unwrap_or(0.0), Spread::of(figures).median))
            .collect();
        row(report, name, &points);
        curves.push(Curve { name, points });
    }
    let each = plan.of(50_000, 1_000_000);
    let points = chunks(each)?;
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

fn beside(what: &str, amount: &str, calls: &str) -> Outcome<f64> {
    let mut server = Process::node(false, &["server"])?;
    let address = server.line()?;
    Process::node(false, &["beside", &address, what, amount, calls])?.number()
}

/// One chunk of calls after the other in the same two processes.
fn chunks(each: usize) -> Outcome<Vec<(f64, f64)>> {
    let mut server = Process::node(false, &["server"])?;
    let address = server.line()?;
    let (number, size) = (CHUNKS.to_string(), each.to_string());
    let mut client = Process::node(false, &["chunks", &address, &number, &size])?;
    (0..CHUNKS).map(|chunk| Ok(((chunk * each) as f64, client.number()?))).collect()
}
