//! Below the panels: who is who, from when to when they lived, and what they
//! used. The numbers add up to the meters.

use maud::{Markup, html};

use crate::attribute::{Account, Energy};
use crate::profile::{Consumer, PowerSeries, Profile};
use crate::unit::Microjoules;

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

/// The rows from `top` on; names from `left` on, numbers up to the width.
pub(super) fn draw(
    profile: &Profile,
    lifetimes: &[Lifetime<'_>],
    axis: &TimeAxis,
    (top, left, width): (f64, f64, f64),
) -> Markup {
    let energy_text = EnergyText::of(profile);
    let total = profile.ledger.total().0;
    let right = width - 12.0;
    let error = match energy_text.estimated {
        true => "estimated",
        false => "±90 %",
    };
    html! {
        @if energy_text.known && !lifetimes.is_empty() {
            @let y = short(top - 5.0);
            text class="ep-dim ep-end" x=(short(right - 60.0)) y=(y) { "energy " (error) }
            text class="ep-dim ep-end" x=(short(right)) y=(y) { "share" }
        }
        @for (at, lifetime) in lifetimes.iter().enumerate() {
            @let middle = top + at as f64 * ROW + ROW / 2.0;
            (legend(lifetime, (left, right), middle))
            (numbers(lifetime, energy_text, total, (right, middle)))
            @if let (Some(fill), Some(consumer)) = (lifetime.fill, lifetime.consumer) {
                (bar(fill, consumer, axis, middle))
            }
        }
    }
}

/// The fill of a row, and its name.
fn legend(lifetime: &Lifetime<'_>, (left, right): (f64, f64), middle: f64) -> Markup {
    let class = match lifetime.consumer {
        Some(_) => None,
        None if lifetime.fill.is_none() => Some("ep-strong"),
        None => Some("ep-dim"),
    };
    html! {
        @if let Some(fill) = lifetime.fill {
            rect class="ep-band" fill={ "url(#" (fill.id()) ")" }
                x=(short(left)) y=(short(middle - 6.0)) width="14" height="12" {}
        } @else {
            path class="ep-axis"
                d={ "M" (short(left)) " " (short(middle - ROW / 2.0)) "H" (short(right)) } {}
        }
        text class=[class] x=(short(left + 21.0)) y=(short(middle + 4.0)) { (lifetime.name) }
    }
}

/// What a row used.
fn numbers(
    lifetime: &Lifetime<'_>,
    energy_text: EnergyText,
    total: u64,
    (right, middle): (f64, f64),
) -> Markup {
    let energy = Some(lifetime.energy).filter(|_| energy_text.known);
    let half = lifetime.half.map(|half| match lifetime.consumer {
        Some(_) => energy_text.half(Microjoules(lifetime.energy), Microjoules(half)),
        None => half,
    });
    let [value, error, unit] = energy_text.cells(energy, half);
    let error = match lifetime.consumer {
        Some(_) if !energy_text.estimated && !error.is_empty() => format!(" {error}"),
        _ => String::new(),
    };
    let share = percent(lifetime.energy, total).filter(|_| energy_text.known);
    let y = short(middle + 4.0);
    html! {
        text class="ep-num ep-end" x=(short(right - 60.0)) y=(y) { (value) (error) " " (unit) }
        text class="ep-num ep-end ep-dim" x=(short(right)) y=(y) { (share.unwrap_or_default()) }
    }
}

/// From the fork or exec of a consumer to its exit, where those are known.
fn bar(fill: Fill, consumer: &Consumer, axis: &TimeAxis, middle: f64) -> Markup {
    let (from, to) = (
        consumer.began.map_or(axis.left, |begin| axis.x(begin)),
        consumer.gone.map_or(axis.right(), |end| axis.x(end)),
    );
    let (top, bottom) = (short(middle - 5.0), short(middle + 5.0));
    // What began before the picture does, or has no end in it, has no mark.
    let begins = consumer.began.is_some_and(|begin| begin >= axis.begin);
    let x = short(from);
    html! {
        rect class="ep-life" fill={ "url(#" (fill.id()) ")" } x=(x) y=(short(middle - 3.0))
            width=(short((to - from).max(1.0))) height="6" {}
        @if begins && consumer.by_exec {
            path class="ep-mark-exec"
                d={ "M" (x) " " (top) "L" (short(from + 7.0)) " " (short(middle)) "L" (x) " " (bottom) "Z" } {}
        } @else if begins {
            path class="ep-axis" d={ "M" (x) " " (top) "V" (bottom) } {}
        }
        @if consumer.gone.is_some() {
            path class="ep-axis" d={ "M" (short(to)) " " (top) "V" (bottom) } {}
        }
    }
}
