//! The results as a picture: how far each rate is from its aim, and how flat the cost of a call is.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::Outcome;
use crate::growth::Curve;
use crate::rates::Rate;

const SIZE: (u32, u32) = (960, 760);
const FONT: (&str, u32) = ("sans-serif", 15);
const TITLE: (&str, u32) = ("sans-serif", 20);
const REACHED: RGBColor = RGBColor(46, 125, 50);
const BELOW: RGBColor = RGBColor(198, 120, 30);
const COLORS: [RGBColor; 4] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(148, 103, 189),
    RGBColor(23, 150, 140),
];

/// What the dearest call may cost beside the cheapest.
const FLAT: f64 = 1.15;

/// Draws both parts into an SVG file.
pub fn draw(path: &Path, rates: &[Rate], curves: &[Curve]) -> Outcome<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (upper, lower) = root.split_vertically(SIZE.1 / 2);
    draw_rates(&upper, rates)?;
    draw_growth(&lower, curves)?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Bars: what was reached, as a part of what is aimed at.
fn draw_rates(area: &Area<'_>, rates: &[Rate]) -> Outcome<()> {
    let reached = |rate: &Rate, value: f64| match rate.is_time {
        true => rate.target / value,
        false => value / rate.target,
    };
    let most = rates.iter().map(|rate| reached(rate, rate.ratio.median)).fold(1.2, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .caption("Beside a floor without Lua, as a part of the aim", TITLE)
        .margin(12)
        .x_label_area_size(30)
        .build_cartesian_2d(0.0..most, 0.0..rates.len() as f64)?;
    chart.configure_mesh().disable_y_mesh().disable_y_axis().label_style(FONT).draw()?;
    for (index, rate) in rates.iter().enumerate() {
        let bottom = (rates.len() - 1 - index) as f64;
        let value = reached(rate, rate.ratio.median);
        let color = if value >= 1.0 { REACHED } else { BELOW };
        let bar = Rectangle::new([(0.0, bottom + 0.15), (value, bottom + 0.5)], color.filled());
        let words = format!(
            "{}: {:.3} of the floor's {}, aim {:.2}",
            rate.name,
            rate.ratio.median,
            if rate.is_time { "round trip" } else { "rate" },
            rate.target
        );
        chart.draw_series([bar])?;
        chart.draw_series([Text::new(words, (0.0, bottom + 0.85), FONT)])?;
    }
    let aim = LineSeries::new([(1.0, 0.0), (1.0, rates.len() as f64)], BLACK.stroke_width(2));
    chart.draw_series(aim)?;
    Ok(())
}

/// Lines: the cost of a call by how much else there is, the first of each as 1.
fn draw_growth(area: &Area<'_>, curves: &[Curve]) -> Outcome<()> {
    let relative = |curve: &Curve| -> Vec<(f64, f64)> {
        let base = curve.points[0].1;
        curve.points.iter().map(|(amount, cost)| (amount.max(1.0), cost / base)).collect()
    };
    let all: Vec<(f64, f64)> = curves.iter().flat_map(relative).collect();
    let far = all.iter().map(|point| point.0).fold(10.0, f64::max);
    let high = all.iter().map(|point| point.1).fold(1.3, f64::max) * 1.05;
    let mut chart = ChartBuilder::on(area)
        .caption("What a call costs beside so much else, none as 1", TITLE)
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(50)
        .build_cartesian_2d((1.0..far).log_scale(), 0.0..high)?;
    chart.configure_mesh().light_line_style(WHITE).label_style(FONT).draw()?;
    chart.draw_series(LineSeries::new([(1.0, FLAT), (far, FLAT)], BLACK.mix(0.4)))?;
    for (curve, color) in curves.iter().zip(COLORS) {
        chart
            .draw_series(LineSeries::new(relative(curve), color.stroke_width(2)).point_size(3))?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .label_font(FONT)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}
