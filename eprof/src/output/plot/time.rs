//! The time axis below the last panel, the beginning and the end of the
//! target, and how to read it all.

use maud::{Markup, html};

use super::super::format::number::time as duration;
use super::axis::TimeAxis;
use super::paths::short;
use crate::profile::{PowerSeries, Profile};

/// The time axis below the last panel.
pub(super) fn ticks(axis: &TimeAxis, bottom: f64) -> Markup {
    let (ticks, unit) = axis.ticks();
    let last = ticks.len().saturating_sub(1);
    html! {
        @for (at, (x, label)) in ticks.iter().enumerate() {
            @let x = short(*x);
            path class="ep-axis" d={ "M" (x) " " (short(bottom)) "v5" } {}
            text class="ep-dim ep-num ep-mid" x=(x) y=(short(bottom + 19.0)) {
                (label) @if at == last { " " (unit) }
            }
        }
    }
}

/// The target's beginning, where that was before it was measured, and its end.
pub(super) fn marks(
    profile: &Profile,
    series: &PowerSeries,
    axis: &TimeAxis,
    [top, below, bottom]: [f64; 3],
) -> Markup {
    let ended = profile.summary.header.started + profile.summary.duration;
    let mark = |x: f64, y: f64, text: &str| {
        html! {
            path class="ep-mark"
                d={ "M" (short(x)) " " (short(top - 4.0)) "V" (short(bottom)) } {}
            text class="ep-dim" x=(short(x + 6.0)) y=(short(y)) { (text) }
        }
    };
    let code = match profile.summary.exit_code {
        Some(0) => "exit".to_owned(),
        Some(code) => format!("exit code {code}"),
        None => "cut off here".to_owned(),
    };
    html! {
        @if axis.begin < series.measured {
            (mark(axis.x(series.measured), below + 40.0, "measured from here"))
        }
        (mark(axis.x(ended.min(series.end)), below + 19.0, &code))
    }
}

/// How to read it.
pub(super) fn foot(series: &PowerSeries) -> String {
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
