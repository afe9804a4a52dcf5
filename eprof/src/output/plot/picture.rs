//! The whole picture.

use std::io::{self, Write};

use maud::{Markup, PreEscaped, html};

use super::super::format::energy::EnergyText;
use super::super::format::sanitize::{shorten, visible};
use super::super::format::{accounts, title};
use super::aside::aside;
use super::axis::TimeAxis;
use super::fill::{self, Fill};
use super::lifetimes::{self, ROW};
use super::panel::{self, Band, Frame};
use super::paths::short;
use super::time;
use crate::profile::{MeterSeries, PowerSeries, Profile};

/// Pixels.
const WIDTH: f64 = 1140.0;
const LEFT: f64 = 62.0;
const PLOT: f64 = 740.0;
const TEXT: f64 = LEFT + PLOT + 22.0;
const HEAD: f64 = 66.0;
const BETWEEN: f64 = 30.0;

/// Letters that fit.
const TITLE_WIDTH: usize = 110;
const SUBTITLE_WIDTH: usize = 170;

/// Writes the picture as a document of its own.
///
/// # Errors
///
/// The error of `out`.
pub fn write(profile: &Profile, series: &PowerSeries, mut out: impl Write) -> io::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>")?;
    writeln!(out, "{}", element(profile, series).into_string())?;
    out.flush()
}

/// The picture as an element, for a document or a page.
pub(in crate::output) fn element(profile: &Profile, series: &PowerSeries) -> Markup {
    let length = series.end.since(series.begin).0;
    // What went before is not worth a place where it is hardly seen.
    let before = series.measured.since(series.begin).0;
    let delayed = before > length / 100;
    let begin = match delayed {
        true => series.begin,
        false => series.measured,
    };
    let axis = TimeAxis {
        begin,
        end: series.end.max(begin),
        left: LEFT,
        width: PLOT,
    };
    let (panels, bottom) = panels(profile, series, &axis, delayed);
    let lifetimes = lifetimes::lifetimes(profile, series);
    let top = bottom + 58.0;
    let end = top + lifetimes.len() as f64 * ROW;
    let height = end + 34.0;
    let command = title::command(profile);
    let command = shorten(&command, TITLE_WIDTH);
    let subtitle = title::subtitle(profile, EnergyText::of(profile));
    html! {
        svg xmlns="http://www.w3.org/2000/svg" class="ep" role="img"
            viewBox={ "0 0 " (short(WIDTH)) " " (short(height)) }
            width=(short(WIDTH)) height=(short(height)) {
            title { "Power of " (command) }
            "\n"
            style { (PreEscaped(fill::style())) }
            defs { (fill::patterns()) }
            rect class="ep-paper" width="100%" height="100%" {}
            text class="ep-title" x="16" y="27" { "Power of " (command) }
            text class="ep-dim" x="16" y="48" { (shorten(&subtitle, SUBTITLE_WIDTH)) }
            "\n"
            (panels)
            (time::ticks(&axis, bottom))
            (lifetimes::draw(profile, &lifetimes, &axis, (top, TEXT, WIDTH)))
            (time::marks(profile, series, &axis, [HEAD, bottom, end]))
            text class="ep-dim" x="16" y=(short(height - 12.0)) { (time::foot(series)) }
        }
    }
}

/// The panels of all meters, and where they end.
fn panels(
    profile: &Profile,
    series: &PowerSeries,
    axis: &TimeAxis,
    delayed: bool,
) -> (Markup, f64) {
    let names: Vec<String> = series.consumers.iter().map(lifetimes::called).collect();
    let mut drawn = Vec::new();
    let mut y = HEAD;
    let meters = series.meters.iter().zip(&profile.ledger.meters);
    for (number, (meter, ledger)) in meters.enumerate() {
        let height = height(series.meters.len(), ledger.nested);
        let frame = Frame {
            top: y,
            height,
            number,
        };
        let (panel, cut) = panel::draw(series, meter, &bands(meter, &names), axis, frame);
        drawn.push(html! {
            g class="ep-meter" data-meter=(visible(&ledger.name)) {
                @if delayed {
                    @let span = (axis.left, axis.x(series.measured));
                    (panel::gap(span, (y, y + height), "not measured"))
                }
                (panel)
            }
            (aside(profile, ledger, cut, (TEXT, y)))
        });
        y += height + BETWEEN;
    }
    if drawn.is_empty() {
        drawn.push(html! {
            text class="ep-dim" x=(short(LEFT)) y=(short(y + 14.0)) {
                "There was no meter to read."
            }
        });
        y += 40.0;
    }
    (html! { @for panel in drawn { (panel) } }, y - BETWEEN)
}

/// The height of a panel, one of `meters`.
fn height(meters: usize, nested: bool) -> f64 {
    match (meters, nested) {
        (1, _) => 300.0,
        (2, false) => 220.0,
        (_, false) => 170.0,
        (_, true) => 110.0,
    }
}

/// The areas of a panel from the lowest to the highest.
fn bands<'a>(meter: &'a MeterSeries, names: &'a [String]) -> Vec<Band<'a>> {
    let fills = (0..names.len()).map(Fill::Consumer);
    let consumers = fills.zip(names).zip(&meter.consumers);
    let mut bands: Vec<Band<'_>> = consumers
        .map(|((fill, name), bins)| Band { fill, name, bins })
        .collect();
    bands.push(Band {
        fill: Fill::Rest,
        name: "others of the target",
        bins: &meter.rest,
    });
    bands.extend(meter.accounts.iter().map(|(&account, bins)| Band {
        fill: Fill::Account(account),
        name: accounts::label(account),
        bins,
    }));
    bands.retain(|band| !band.bins.is_empty());
    bands
}
