//! The panel of one meter: its consumers, on top of each other, under the
//! meter's line.

use maud::{Markup, html};

use crate::profile::{Bins, MeterSeries, PowerSeries};

use super::super::format::number::with_error;
use super::axis::{TimeAxis, decimals, power_unit, ticks};
use super::cells::{Cell, cells, gaps, watts};
use super::fill::Fill;
use super::paths::{area, line, short};

/// A step this many times higher than nearly all others is cut off, and its height is written beside the panel.
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

impl Frame {
    fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// The panel, and the power that does not fit into it, if any.
pub(super) fn draw(
    series: &PowerSeries,
    meter: &MeterSeries,
    bands: &[Band<'_>],
    axis: &TimeAxis,
    frame: Frame,
) -> (Markup, Option<String>) {
    let cells = cells(series, meter, axis);
    let powers: Vec<Vec<f64>> = bands.iter().map(|band| watts(band.bins, &cells)).collect();
    let totals: Vec<f64> = (0..cells.len())
        .map(|at| powers.iter().map(|of| of[at]).sum())
        .collect();
    let (most, cut) = highest(&totals);
    let scale = Scale { frame, most };
    let (areas, line) = stacked(&cells, bands, &powers, scale);
    let (top, bottom) = (frame.top, frame.bottom());
    let (left, right) = (short(axis.left), short(axis.right()));
    let clip = format!("ep-clip{}", frame.number);
    let unknown = gaps(&cells, axis.x(series.measured), axis.right());
    let panel = html! {
        (power_axis(axis, scale))
        @for span in unknown { (gap(span, (top, bottom), "energy unknown")) }
        clipPath id=(clip) {
            rect x=(left) y=(short(top)) width=(short(axis.width)) height=(short(frame.height)) {}
        }
        g clip-path={ "url(#" (clip) ")" } {
            @for area in &areas { (area.path) }
            path class="ep-line" d=(line) {}
            @for area in &areas { (area.label) }
        }
        path class="ep-axis" d={ "M" (left) " " (short(top)) "V" (short(bottom)) "H" (right) } {}
    };
    (panel, cut.map(|watts| with_error(watts, None, "W").text()))
}

/// From watts to pixels.
#[derive(Clone, Copy, Debug)]
struct Scale {
    frame: Frame,
    /// Watts at the top.
    most: f64,
}

impl Scale {
    fn y(&self, watts: f64) -> f64 {
        self.frame.bottom() - (watts / self.most).min(1.2) * self.frame.height
    }
}

/// Lines of equal power, and what they stand for.
fn power_axis(axis: &TimeAxis, scale: Scale) -> Markup {
    let (factor, unit) = power_unit(scale.most);
    let ticks = ticks(
        0.0,
        scale.most * factor,
        (scale.frame.height / 38.0) as usize,
    );
    let digits = decimals(&ticks);
    let y = |tick: f64| scale.y(tick / factor);
    let (left, right) = (short(axis.left), short(axis.right()));
    html! {
        @for &tick in ticks.iter().skip(1) {
            path class="ep-grid" d={ "M" (left) " " (short(y(tick))) "H" (right) } {}
        }
        @for (at, &tick) in ticks.iter().enumerate() {
            text class="ep-dim ep-num ep-end" x=(short(axis.left - 7.0)) y=(short(y(tick) + 4.0)) {
                (format!("{tick:.digits$}")) @if at + 1 == ticks.len() { " " (unit) }
            }
        }
    }
}

/// A band that is drawn, and its name on it, where that fits.
struct Area {
    path: Markup,
    label: Markup,
}

/// The areas on top of each other, and the line above them.
fn stacked(
    cells: &[Cell],
    bands: &[Band<'_>],
    powers: &[Vec<f64>],
    scale: Scale,
) -> (Vec<Area>, String) {
    let mut low = vec![scale.frame.bottom(); cells.len()];
    let mut sum = vec![0.0; cells.len()];
    let mut areas = Vec::with_capacity(bands.len());
    for (band, power) in bands.iter().zip(powers) {
        for (sum, more) in sum.iter_mut().zip(power) {
            *sum += more;
        }
        let high: Vec<f64> = sum.iter().map(|watts| scale.y(*watts)).collect();
        let uj = band.bins.sum();
        let energy = with_error(uj as f64 / 1e6, None, "J").text();
        let path = html! {
            path class="ep-band" fill={ "url(#" (band.fill.id()) ")" }
                data-name=(band.name) data-uj=(uj) d=(area(cells, &low, &high)) {
                title { (band.name) ": " (energy) }
            }
        };
        let label = html! {
            @if let Some((x, y)) = place(cells, &low, &high, band.name) {
                text class={ "ep-on" (contrast(band.fill)) } x=(short(x)) y=(short(y + 4.0)) {
                    (band.name)
                }
            }
        };
        areas.push(Area { path, label });
        low = high;
    }
    (areas, line(cells, &low))
}

/// What makes text on a fill legible.
fn contrast(fill: Fill) -> &'static str {
    match fill {
        fill if fill.dark() => " ep-on-dark",
        Fill::Account(_) => " ep-on-grey",
        _ => "",
    }
}

/// A span of time in which nothing is known.
pub(super) fn gap((from, to): (f64, f64), (top, bottom): (f64, f64), what: &str) -> Markup {
    let width = what.len() as f64 * LETTER + 10.0;
    let (x, y) = ((from + to) / 2.0, (top + bottom) / 2.0);
    html! {
        rect class="ep-gap" fill="url(#ep-gap)" x=(short(from)) y=(short(top))
            width=(short(to - from)) height=(short(bottom - top)) { title { (what) } }
        @if to - from > width {
            rect class="ep-paper" x=(short(x - width / 2.0)) y=(short(y - 9.0))
                width=(short(width)) height="18" rx="3" {}
            text class="ep-dim ep-mid" x=(short(x)) y=(short(y + 4.0)) { (what) }
        }
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
