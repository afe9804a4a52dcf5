//! Below the panels: who is who, when they lived, and what they used. Adds up
//! to the meters.

use std::fmt::Write as _;

use crate::attribute::{Account, Energy};
use crate::profile::{Consumer, PowerSeries, Profile};
use crate::unit::Microjoules;

use super::super::flamegraph::decorate::escaped;
use super::super::format::accounts::{self, coarsest_half};
use super::super::format::energy::EnergyText;
use super::super::format::number::{counted, percent};
use super::super::format::sanitize::{shorten, visible};
use super::axis::TimeAxis;
use super::fill::Fill;
use super::paths::short;

/// Height of a row in pixels.
pub(super) const ROW: f64 = 19.0;

/// Letters that fit beside the numbers.
const NAME: usize = 21;

/// One row.
pub(super) struct Lifetime<'a> {
    pub(super) fill: Option<Fill>,
    /// Harmless and short.
    pub(super) name: String,
    energy: u64,
    half: Option<u64>,
    consumer: Option<&'a Consumer>,
}

/// What a consumer is called, harmless.
pub(super) fn called(consumer: &Consumer) -> String {
    let comm = visible(&consumer.comm);
    match consumer.id {
        Some(id) => format!("{comm} ({id})"),
        None if consumer.members > 1 => format!("{comm} × {}", consumer.members),
        None => comm.into_owned(),
    }
}

/// All rows, down to the meters' total.
pub(super) fn lifetimes<'a>(profile: &'a Profile, series: &'a PowerSeries) -> Vec<Lifetime<'a>> {
    let mut lifetimes: Vec<Lifetime<'_>> = Vec::new();
    for (at, consumer) in series.consumers.iter().enumerate() {
        lifetimes.push(Lifetime {
            fill: Some(Fill::Consumer(at)),
            name: shorten(&called(consumer), NAME).into_owned(),
            energy: consumer.energy.0,
            half: Some(consumer.ci90.0),
            consumer: Some(consumer),
        });
    }
    let plain = |fill: Option<Fill>, name: String, energy: u64, half: Option<u64>| Lifetime {
        fill,
        name,
        energy,
        half,
        consumer: None,
    };
    let (others, uj) = series.others;
    if others > 0 {
        let name = counted(others as u64, "other of the target", "others of the target");
        lifetimes.push(plain(Some(Fill::Rest), name, uj, None));
    }
    for account in Account::ALL.into_iter().skip(1) {
        let Energy {
            with_idle: full, ..
        } = profile.ledger.account(account);
        if full.0 > 0 {
            let name = accounts::label(account).to_owned();
            let half = accounts::half(profile, account);
            lifetimes.push(plain(Some(Fill::Account(account)), name, full.0, half));
        }
    }
    if !profile.ledger.meters.is_empty() {
        let total = profile.ledger.total().0;
        lifetimes.push(plain(
            None,
            "= all of it".to_owned(),
            total,
            coarsest_half(profile),
        ));
    }
    lifetimes
}

/// Draws the rows from `top` on.
pub(super) fn draw(
    svg: &mut String,
    profile: &Profile,
    lifetimes: &[Lifetime<'_>],
    time: &TimeAxis,
    (top, text, width): (f64, f64, f64),
) {
    let energy_text = EnergyText::of(profile);
    let total = profile.ledger.total().0;
    let right = width - 12.0;
    if energy_text.known && !lifetimes.is_empty() {
        let error = if energy_text.estimated {
            "estimated"
        } else {
            "±90 %"
        };
        let _ = write!(
            svg,
            "<text class=\"ep-dim ep-end\" x=\"{}\" y=\"{y}\">energy {error}</text>\
             <text class=\"ep-dim ep-end\" x=\"{}\" y=\"{y}\">share</text>",
            short(right - 60.0),
            short(right),
            y = short(top - 5.0),
        );
    }
    for (at, lifetime) in lifetimes.iter().enumerate() {
        let y = top + at as f64 * ROW;
        let middle = y + ROW / 2.0;
        // Writing to a string cannot fail.
        if let Some(fill) = lifetime.fill {
            let _ = write!(
                svg,
                "<rect class=\"ep-band\" fill=\"url(#{})\" x=\"{}\" y=\"{}\" width=\"14\" height=\"12\"/>",
                fill.id(),
                short(text),
                short(middle - 6.0),
            );
        } else {
            let _ = write!(
                svg,
                "<path class=\"ep-axis\" d=\"M{} {}H{}\"/>",
                short(text),
                short(y),
                short(right)
            );
        }
        let strong = match lifetime.consumer {
            Some(_) => "",
            None if lifetime.fill.is_none() => " class=\"ep-strong\"",
            None => " class=\"ep-dim\"",
        };
        let (energy, half) = (
            Some(lifetime.energy).filter(|_| energy_text.known),
            lifetime.half,
        );
        let half = half.map(|half| match lifetime.consumer {
            Some(_) => energy_text.half(Microjoules(lifetime.energy), Microjoules(half)),
            None => half,
        });
        let [value, error, unit] = energy_text.cells(energy, half);
        let error = match lifetime.consumer {
            Some(_) if !energy_text.estimated && !error.is_empty() => format!(" {error}"),
            _ => String::new(),
        };
        let share = percent(lifetime.energy, total).filter(|_| energy_text.known);
        let _ = write!(
            svg,
            "<text{strong} x=\"{}\" y=\"{y}\">{}</text>\
             <text class=\"ep-num ep-end\" x=\"{}\" y=\"{y}\">{value}{error} {unit}</text>\
             <text class=\"ep-num ep-end ep-dim\" x=\"{}\" y=\"{y}\">{}</text>",
            short(text + 21.0),
            escaped(&lifetime.name),
            short(right - 60.0),
            short(right),
            escaped(&share.unwrap_or_default()),
            y = short(middle + 4.0),
        );
        if let (Some(fill), Some(consumer)) = (lifetime.fill, lifetime.consumer) {
            life(svg, fill, consumer, time, middle);
        }
    }
}

/// From its birth to its end, where those are known.
fn life(svg: &mut String, fill: Fill, consumer: &Consumer, time: &TimeAxis, middle: f64) {
    let (from, to) = (
        consumer.born.map_or(time.left, |born| time.x(born)),
        consumer.gone.map_or(time.right(), |gone| time.x(gone)),
    );
    let (top, bottom) = (short(middle - 5.0), short(middle + 5.0));
    let _ = write!(
        svg,
        "<rect class=\"ep-life\" fill=\"url(#{})\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"6\"/>",
        fill.id(),
        short(from),
        short(middle - 3.0),
        short((to - from).max(1.0)),
    );
    // What began before the picture does, or has no end in it, has no mark.
    if consumer.born.is_some_and(|born| born >= time.begin) {
        let x = short(from);
        let _ = match consumer.by_exec {
            true => write!(
                svg,
                "<path class=\"ep-mark-exec\" d=\"M{x} {top}L{} {}L{x} {bottom}Z\"/>",
                short(from + 7.0),
                short(middle)
            ),
            false => write!(svg, "<path class=\"ep-axis\" d=\"M{x} {top}V{bottom}\"/>"),
        };
    }
    if consumer.gone.is_some() {
        let _ = write!(
            svg,
            "<path class=\"ep-axis\" d=\"M{} {top}V{bottom}\"/>",
            short(to)
        );
    }
}
