//! The panel of one meter: who paid, on top of each other, under the meter's
//! line.

use std::fmt::Write as _;

use crate::profile::{Bins, MeterSeries, PowerSeries};

use super::super::flamegraph::decorate::escaped;
use super::super::format::number::with_error;
use super::axis::{TimeAxis, decimals, power_unit, ticks};
use super::cells::{Cell, cells, gaps, watts};
use super::fill::Fill;
use super::paths::{area, line, short};

/// A step this many times higher than nearly all others is cut off, and told.
const SPIKE: f64 = 4.0;

/// Height of the letters on areas, in pixels, with what is around them.
const LETTERS: f64 = 13.0;
/// Mean width of a letter.
const LETTER: f64 = 6.1;

/// One area.
pub(super) struct Band<'a> {
    pub(super) fill: Fill,
    /// Harmless.
    pub(super) name: &'a str,
    pub(super) bins: &'a Bins,
}

/// Where a panel is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) top: f64,
    pub(super) height: f64,
    /// Which panel, for names.
    pub(super) number: usize,
}

/// Draws the panel; returns the power that did not fit, if any.
pub(super) fn draw(
    svg: &mut String,
    series: &PowerSeries,
    meter: &MeterSeries,
    bands: &[Band<'_>],
    time: &TimeAxis,
    frame: Frame,
) -> Option<String> {
    let Frame {
        top,
        height,
        number,
    } = frame;
    let bottom = top + height;
    let cells = cells(series, meter, time);
    let powers: Vec<Vec<f64>> = bands.iter().map(|band| watts(band.bins, &cells)).collect();
    let totals: Vec<f64> = (0..cells.len())
        .map(|at| powers.iter().map(|of| of[at]).sum())
        .collect();
    let (most, cut) = highest(&totals);
    let y = |watts: f64| bottom - (watts / most).min(1.2) * height;
    let (left, right) = (short(time.left), short(time.right()));

    // Writing to a string cannot fail.
    let (scale, unit) = power_unit(most);
    let marks = ticks(0.0, most * scale, (height / 38.0) as usize);
    let digits = decimals(&marks);
    for &mark in marks.iter().skip(1) {
        let at = short(y(mark / scale));
        let _ = write!(svg, "<path class=\"ep-grid\" d=\"M{left} {at}H{right}\"/>");
    }
    for (at, &mark) in marks.iter().enumerate() {
        let unit = if at + 1 == marks.len() { unit } else { "" };
        let _ = write!(
            svg,
            "<text class=\"ep-dim ep-num ep-end\" x=\"{}\" y=\"{}\">{mark:.digits$}{}{unit}</text>",
            short(time.left - 7.0),
            short(y(mark / scale) + 4.0),
            if unit.is_empty() { "" } else { " " },
        );
    }
    for (from, to) in gaps(&cells, time.x(series.measured), time.right()) {
        gap(svg, (from, to), (top, bottom), "energy unknown");
    }

    let _ = write!(
        svg,
        "<clipPath id=\"ep-clip{number}\"><rect x=\"{left}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>\
         <g clip-path=\"url(#ep-clip{number})\">",
        short(top),
        short(time.width),
        short(height),
    );
    let mut low = vec![bottom; cells.len()];
    let mut base = vec![0.0; cells.len()];
    let mut labels = String::new();
    for (band, power) in bands.iter().zip(&powers) {
        for (sum, more) in base.iter_mut().zip(power) {
            *sum += more;
        }
        let high: Vec<f64> = base.iter().map(|watts| y(*watts)).collect();
        let name = escaped(band.name);
        let uj = band.bins.sum();
        let fill = band.fill.id();
        let path = area(&cells, &low, &high);
        let _ = write!(
            svg,
            "<path class=\"ep-band\" fill=\"url(#{fill})\" data-name=\"{}\" data-uj=\"{uj}\" d=\"{path}\">\
             <title>{name}: {}</title></path>",
            name.replace('"', "&quot;"),
            with_error(uj as f64 / 1e6, None, "J").text(),
        );
        if let Some((x, y)) = place(&cells, &low, &high, band.name) {
            let dark = match band.fill {
                fill if fill.dark() => " ep-on-dark",
                Fill::Account(_) => " ep-on-grey",
                _ => "",
            };
            let _ = write!(
                labels,
                "<text class=\"ep-on{dark}\" x=\"{}\" y=\"{}\">{name}</text>",
                short(x),
                short(y + 4.0),
            );
        }
        low = high;
    }
    let _ = write!(
        svg,
        "<path class=\"ep-line\" d=\"{}\"/>{labels}</g><path class=\"ep-axis\" d=\"M{left} {}V{}H{right}\"/>",
        line(&cells, &low),
        short(top),
        short(bottom),
    );
    cut.map(|watts| with_error(watts, None, "W").text())
}

/// A stretch of time in which nothing is known.
pub(super) fn gap(svg: &mut String, (from, to): (f64, f64), (top, bottom): (f64, f64), what: &str) {
    let _ = write!(
        svg,
        "<rect class=\"ep-gap\" fill=\"url(#ep-gap)\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{what}</title></rect>",
        short(from),
        short(top),
        short(to - from),
        short(bottom - top),
    );
    let width = what.len() as f64 * LETTER + 10.0;
    if to - from > width {
        let (x, y) = ((from + to) / 2.0, (top + bottom) / 2.0);
        let _ = write!(
            svg,
            "<rect class=\"ep-paper\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"18\" rx=\"3\"/>\
             <text class=\"ep-dim ep-mid\" x=\"{}\" y=\"{}\">{what}</text>",
            short(x - width / 2.0),
            short(y - 9.0),
            short(width),
            short(x),
            short(y + 4.0),
        );
    }
}

/// The top of the scale in watts, and the highest step where that is cut off.
fn highest(totals: &[f64]) -> (f64, Option<f64>) {
    let most = totals.iter().fold(0.0, |a: f64, b| a.max(*b));
    if most <= 0.0 || !most.is_finite() {
        return (1.0, None);
    }
    let mut sorted = totals.to_vec();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted[(sorted.len() - 1) * 95 / 100];
    if usual > 0.0 && most > SPIKE * usual {
        (usual * 1.5, Some(most))
    } else {
        (most * 1.06, None)
    }
}

/// The middle of the widest place on an area that a name fits into.
fn place(cells: &[Cell], low: &[f64], high: &[f64], name: &str) -> Option<(f64, f64)> {
    let need = name.chars().count() as f64 * LETTER + 8.0;
    let mut best: Option<(f64, f64, f64)> = None;
    let mut to = 0;
    for from in 0..cells.len() {
        to = to.max(from);
        while to < cells.len() && cells[to].right - cells[from].left < need {
            to += 1;
        }
        if to == cells.len() {
            break;
        }
        let upper = high[from..=to].iter().fold(f64::MIN, |a, b| a.max(*b));
        let lower = low[from..=to].iter().fold(f64::MAX, |a, b| a.min(*b));
        let room = lower - upper;
        // A gap has no area to write on.
        let whole = cells[to].bin - cells[from].bin == (to - from) as u32;
        if whole && room >= LETTERS && best.is_none_or(|(most, _, _)| room > most + 2.0) {
            let x = (cells[from].left + cells[to].right) / 2.0;
            best = Some((room, x, (upper + lower) / 2.0));
        }
    }
    best.map(|(_, x, y)| (x, y))
}
