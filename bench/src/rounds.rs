//! Measuring two things in turn: the machine's speed drifts, and what is compared must drift with it.

use crate::Outcome;

/// The middle of some figures, and the least and the most.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(mut figures: Vec<f64>) -> Spread {
        figures.sort_by(f64::total_cmp);
        let (least, most) = (figures[0], figures[figures.len() - 1]);
        Spread { median: figures[figures.len() / 2], least, most }
    }
}

/// Two figures measured in turn.
pub struct Pair {
    pub first: Spread,
    pub second: Spread,
    /// First by second, round by round.
    pub ratio: Spread,
}

/// What several things cost, from rounds that measured each of them once: in each round as a part of
/// that round's mean, so that a slow minute counts for all alike; the medians of those, times the median
/// mean.
pub fn level(rounds: &[Vec<f64>]) -> Vec<f64> {
    let mean = |round: &Vec<f64>| round.iter().sum::<f64>() / round.len() as f64;
    let typical = Spread::of(rounds.iter().map(mean).collect()).median;
    (0..rounds[0].len())
        .map(|thing| {
            let parts = rounds.iter().map(|round| round[thing] / mean(round)).collect();
            Spread::of(parts).median * typical
        })
        .collect()
}

/// Measures both in turn, `rounds` times.
pub fn in_turn(
    rounds: usize,
    mut first: impl FnMut() -> Outcome<f64>,
    mut second: impl FnMut() -> Outcome<f64>,
) -> Outcome<Pair> {
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        firsts.push(first()?);
        seconds.push(second()?);
    }
    let ratios = firsts.iter().zip(&seconds).map(|(first, second)| first / second).collect();
    Ok(Pair { first: Spread::of(firsts), second: Spread::of(seconds), ratio: Spread::of(ratios) })
}
