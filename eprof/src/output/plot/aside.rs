//! The text beside a panel.

use maud::{Markup, html};

use super::super::format::energy::{EnergyText, has_reading};
use super::super::format::number::time;
use super::super::format::sanitize::{shorten, visible};
use super::paths::short;
use crate::attribute::{Account, MeterLedger};
use crate::profile::Profile;

/// Letters that fit.
const WIDTH: usize = 44;

/// The meter and its numbers, at (x, y); `cut` is the power that the panel does
/// not show.
pub(super) fn aside(
    profile: &Profile,
    meter: &MeterLedger,
    cut: Option<String>,
    (x, y): (f64, f64),
) -> Markup {
    let x = short(x);
    html! {
        text class="ep-strong" x=(x) y=(short(y + 10.0)) { (meter.domain.name()) }
        @for (at, line) in lines(profile, meter, cut).iter().enumerate() {
            text class="ep-dim" x=(x) y=(short(y + 28.0 + 17.0 * at as f64)) {
                (shorten(line, WIDTH))
            }
        }
    }
}

fn lines(profile: &Profile, meter: &MeterLedger, cut: Option<String>) -> Vec<String> {
    let energy_text = EnergyText::of(profile);
    let mut meters = profile.summary.header.meters.iter();
    let source = meters.find(|of| of.id == meter.meter);
    let source = source.map_or("", |of| of.kind.name());
    let how = meter.provenance.name();
    let mut lines = vec![format!("{how} by {source} {}", visible(&meter.name))];
    let length = Some(profile.summary.duration.0.saturating_sub(meter.unknown.0));
    if has_reading(meter) {
        let total = Some(meter.total.0);
        let coarsest = meter.widths.values().map(|width| width.total().0).max();
        lines.push(format!(
            "{} in all, {} mean",
            energy_text.short(total, coarsest),
            energy_text.watts(total, coarsest, length)
        ));
        let target = meter.accounts.get(&Account::Target).copied();
        let half = meter.widths.get(&Account::Target).map(|of| of.total().0);
        let target = target.unwrap_or_default().with_idle.0;
        lines.push(format!("target: {}", energy_text.long(Some(target), half)));
    } else {
        lines.push("no usable reading".to_owned());
    }
    if meter.unknown.0 > 0 {
        lines.push(format!("unknown for {}", time(meter.unknown.0)));
    }
    if meter.nested {
        lines.push("a part of another meter, never added".to_owned());
    }
    if let Some(watts) = cut {
        lines.push(format!("cut off: the highest step is {watts}"));
    }
    lines
}
