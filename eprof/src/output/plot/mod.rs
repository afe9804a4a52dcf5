//! Power over time: an SVG with a panel for each meter, in which those who paid
//! lie on top of each other under the meter's line, and below it who they are.
//!
//! Everything that is drawn adds up to the ledger (`data-uj` has the exact
//! numbers); time in which a meter's energy is unknown is hatched, never drawn
//! as zero. The picture's size does not grow with the length of the run.
//! Deterministic.

mod axis;
mod cells;
mod fill;
mod lifetimes;
mod panel;
mod paths;

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::attribute::{Account, MeterLedger};
use crate::profile::{PowerSeries, Profile};

use super::flamegraph::decorate::escaped;
use super::format::energy::{EnergyText, spoke};
use super::format::number::time as duration;
use super::format::sanitize::{shorten, visible};
use super::format::title::subtitle;
use super::format::{accounts, title};
use axis::TimeAxis;
use fill::Fill;
use lifetimes::ROW;
use panel::{Band, Frame, gap};
use paths::short;

/// How many consumers can be told apart.
pub const MOST_CONSUMERS: usize = fill::FILLS;

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
const ASIDE_WIDTH: usize = 44;

/// Writes the picture as a document of its own.
///
/// # Errors
///
/// What `out` said.
pub fn write(profile: &Profile, series: &PowerSeries, mut out: impl Write) -> io::Result<()> {
    let svg = element(profile, series);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>")?;
    writeln!(out, "{svg}")?;
    out.flush()
}

/// The picture as an element, for a document or a page.
pub(super) fn element(profile: &Profile, series: &PowerSeries) -> String {
    let length = series.end.since(series.begin).0;
    // What went before is not worth a place where it is hardly seen.
    let before = series.measured.since(series.begin).0;
    let delayed = before > length / 100;
    let begin = if delayed {
        series.begin
    } else {
        series.measured
    };
    let time = TimeAxis {
        begin,
        end: series.end.max(begin),
        left: LEFT,
        width: PLOT,
    };
    let lifetimes = lifetimes::lifetimes(profile, series);
    let mut body = String::new();
    let mut y = HEAD;
    let meters = series.meters.len();
    for (number, (meter, ledger)) in series.meters.iter().zip(&profile.ledger.meters).enumerate() {
        let height = match (meters, ledger.nested) {
            (1, _) => 300.0,
            (2, false) => 220.0,
            (_, false) => 170.0,
            (_, true) => 110.0,
        };
        let frame = Frame {
            top: y,
            height,
            number,
        };
        let names: Vec<String> = series.consumers.iter().map(lifetimes::called).collect();
        let fills = (0..names.len()).map(Fill::Consumer);
        let consumers = fills.zip(&names).zip(&meter.consumers);
        let mut bands: Vec<Band<'_>> = consumers
            .map(|((fill, name), bins)| Band { fill, name, bins })
            .collect();
        bands.push(Band {
            fill: Fill::Rest,
            name: "others of the target",
            bins: &meter.rest,
        });
        for (&account, bins) in &meter.accounts {
            bands.push(Band {
                fill: Fill::Account(account),
                name: accounts::label(account),
                bins,
            });
        }
        bands.retain(|band| !band.bins.is_empty());
        let _ = write!(
            body,
            "<g class=\"ep-meter\" data-meter=\"{}\">",
            meter_name(ledger)
        );
        if delayed {
            let span = (time.left, time.x(series.measured));
            gap(&mut body, span, (y, y + height), "not measured");
        }
        let cut = panel::draw(&mut body, series, meter, &bands, &time, frame);
        body.push_str("</g>");
        aside(&mut body, profile, ledger, cut, y);
        y += height + BETWEEN;
    }
    if meters == 0 {
        let _ = write!(
            body,
            "<text class=\"ep-dim\" x=\"{LEFT}\" y=\"{}\">No meter was there to be read.</text>",
            short(y + 14.0)
        );
        y += 40.0;
    }
    let bottom = y - BETWEEN;
    times(&mut body, &time, bottom);
    let top = bottom + 58.0;
    lifetimes::draw(&mut body, profile, &lifetimes, &time, (top, TEXT, WIDTH));
    marks(
        &mut body,
        profile,
        series,
        &time,
        [HEAD, bottom, top + lifetimes.len() as f64 * ROW],
    );
    let height = top + lifetimes.len() as f64 * ROW + 34.0;
    let foot = foot(series);
    let title = escaped(&shorten(&title::command(profile), TITLE_WIDTH));
    let subtitle = subtitle(profile, EnergyText::of(profile));
    let subtitle = escaped(&shorten(&subtitle, SUBTITLE_WIDTH));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ep\" role=\"img\" \
         viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\">\
         <title>Power of {title}</title>\n<style>{style}</style><defs>{patterns}</defs>\
         <rect class=\"ep-paper\" width=\"100%\" height=\"100%\"/>\
         <text class=\"ep-title\" x=\"16\" y=\"27\">Power of {title}</text>\
         <text class=\"ep-dim\" x=\"16\" y=\"48\">{subtitle}</text>\n{body}\
         <text class=\"ep-dim\" x=\"16\" y=\"{foot_y}\">{foot}</text></svg>",
        height = short(height),
        style = fill::style(),
        patterns = fill::patterns(),
        foot_y = short(height - 12.0),
    )
}

fn meter_name(ledger: &MeterLedger) -> String {
    escaped(&visible(&ledger.name)).replace('"', "&quot;")
}

/// What is said beside a panel.
fn aside(svg: &mut String, profile: &Profile, ledger: &MeterLedger, cut: Option<String>, top: f64) {
    let energy_text = EnergyText::of(profile);
    let header = &profile.summary.header;
    let meter = header.meters.iter().find(|meter| meter.id == ledger.meter);
    let source = meter.map_or("", |meter| meter.kind.name());
    let how = ledger.provenance.name();
    let mut lines = vec![format!("{how} by {source} {}", visible(&ledger.name))];
    let length = Some(profile.summary.duration.0.saturating_sub(ledger.unknown.0));
    if spoke(ledger) {
        let widths = ledger.widths.values().map(|width| width.total().0).max();
        lines.push(format!(
            "{} in all, {} mean",
            energy_text.short(Some(ledger.total.0), widths),
            energy_text.watts(Some(ledger.total.0), widths, length)
        ));
        let target = ledger.accounts.get(&Account::Target).copied();
        let half = ledger.widths.get(&Account::Target).map(|of| of.total().0);
        let target = target.unwrap_or_default();
        lines.push(format!(
            "target: {}",
            energy_text.long(Some(target.with_idle.0), half)
        ));
    } else {
        lines.push("said nothing usable".to_owned());
    }
    if ledger.unknown.0 > 0 {
        lines.push(format!("unknown for {}", duration(ledger.unknown.0)));
    }
    if ledger.nested {
        lines.push("a part of another meter, never added".to_owned());
    }
    if let Some(watts) = cut {
        lines.push(format!("cut off: the highest step is {watts}"));
    }
    let _ = write!(
        svg,
        "<text class=\"ep-strong\" x=\"{}\" y=\"{}\">{}</text>",
        short(TEXT),
        short(top + 10.0),
        ledger.domain.name()
    );
    for (at, line) in lines.iter().enumerate() {
        let _ = write!(
            svg,
            "<text class=\"ep-dim\" x=\"{}\" y=\"{}\">{}</text>",
            short(TEXT),
            short(top + 28.0 + 17.0 * at as f64),
            escaped(&shorten(line, ASIDE_WIDTH))
        );
    }
}

/// The time axis below the last panel.
fn times(svg: &mut String, time: &TimeAxis, bottom: f64) {
    let (ticks, unit) = time.ticks();
    let last = ticks.len().saturating_sub(1);
    for (at, (x, label)) in ticks.iter().enumerate() {
        let unit = if at == last {
            format!(" {unit}")
        } else {
            String::new()
        };
        let _ = write!(
            svg,
            "<path class=\"ep-axis\" d=\"M{x} {}v5\"/>\
             <text class=\"ep-dim ep-num ep-mid\" x=\"{x}\" y=\"{}\">{label}{unit}</text>",
            short(bottom),
            short(bottom + 19.0),
            x = short(*x),
        );
    }
}

/// The target's beginning, where that was before it was measured, and its end.
fn marks(
    svg: &mut String,
    profile: &Profile,
    series: &PowerSeries,
    time: &TimeAxis,
    [top, axis, bottom]: [f64; 3],
) {
    let ended = profile.summary.header.started + profile.summary.duration;
    let mut mark = |x: f64, y: f64, text: &str| {
        let _ = write!(
            svg,
            "<path class=\"ep-mark\" d=\"M{x} {}V{}\"/>\
             <text class=\"ep-dim\" x=\"{}\" y=\"{}\">{text}</text>",
            short(top - 4.0),
            short(bottom),
            short(x + 6.0),
            short(y),
            x = short(x),
        );
    };
    if time.begin < series.measured {
        mark(time.x(series.measured), axis + 40.0, "measured from here");
    }
    let code = match profile.summary.exit_code {
        Some(0) => "exit".to_owned(),
        Some(code) => format!("exit code {code}"),
        None => "cut off here".to_owned(),
    };
    mark(time.x(ended.min(series.end)), axis + 19.0, &code);
}

/// How to read it.
fn foot(series: &PowerSeries) -> String {
    let bars = match series.consumers.is_empty() {
        true => "",
        false => "; bars: from fork (|) or exec (▶) to exit",
    };
    let step = match series.grain.width.0 {
        // A power of two of milliseconds.
        short if short < 1_000_000_000 => format!("{} ms", short / 1_000_000),
        long => duration(long),
    };
    format!(
        "Each step is the mean of {step}; areas add up to the meter’s line; hatched: not known{bars}"
    )
}
