//! What areas are filled with.
//!
//! Hues are Okabe and Ito's (as in the flamegraph), dark and light in
//! turn, so that two areas that touch differ by at least 25 in CIE L* also
//! where there are no colours; patterns tell those apart that are of like
//! lightness. Who is not the target is grey.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::attribute::Account;

/// How many consumers can be told apart.
pub const MOST_CONSUMERS: usize = 10;

/// Fills of consumers, most energy first.
pub(super) const CONSUMERS: [(u8, u8, u8); MOST_CONSUMERS] = [
    (0, 104, 168),
    (246, 222, 104),
    (190, 76, 0),
    (148, 208, 245),
    (0, 112, 82),
    (245, 186, 82),
    (138, 58, 106),
    (176, 226, 196),
    (74, 86, 104),
    (246, 200, 222),
];

/// Strokes of the consumers' patterns, of 8 × 8 pixels: no two of like lightness
/// have the same.
const STROKES: [&str; MOST_CONSUMERS] = [
    "",
    "",
    "M0 8L8 0M-2 2L2 -2M6 10L10 6",
    "M1.5 2h1M5.5 6h1",
    "M0 0L8 8M-2 6L2 10M6 -2L10 2",
    "M0 8L8 0M-2 2L2 -2M6 10L10 6",
    "M2 0V8M6 0V8",
    "M0 0L8 8M-2 6L2 10M6 -2L10 2",
    "M1 2h2M5 6h2",
    "M2 0V8M6 0V8",
];

/// The rest of the target.
const REST: (u8, u8, u8) = (92, 92, 92);

/// Who or what an area stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// One of the largest consumers, by its place.
    Consumer(usize),
    /// The rest of the target.
    Rest,
    /// An account beside the target.
    Account(Account),
}

impl Fill {
    /// The name of its pattern, which is its fill.
    pub(super) fn id(self) -> String {
        match self {
            Self::Consumer(at) => format!("ep-c{}", at % MOST_CONSUMERS),
            Self::Rest => "ep-rest".to_owned(),
            Self::Account(account) => format!("ep-{}", account.name()),
        }
    }

    /// Whether text on it has to be light.
    pub(super) fn dark(self) -> bool {
        match self {
            Self::Consumer(at) => at.is_multiple_of(2),
            Self::Rest => true,
            Self::Account(_) => false,
        }
    }
}

/// The strokes of a pattern of 8 × 8 pixels; empty for none.
fn strokes(fill: Fill) -> &'static str {
    match fill {
        Fill::Consumer(at) => STROKES[at % MOST_CONSUMERS],
        Fill::Rest => "M0 4H8M4 0V8",
        Fill::Account(Account::Other) => "M1 1h1M5 5h1",
        Fill::Account(Account::Kernel) => "M0 4H8",
        Fill::Account(Account::Eprof) => "M4 0V8",
        Fill::Account(Account::Unattributed) => "M0 8L8 0",
        Fill::Account(_) => "",
    }
}

/// The style of the whole picture. Names begin with `ep-`, for it may be part of
/// a page.
pub(super) fn style() -> String {
    let mut style = String::from(STYLE);
    for (at, (r, g, b)) in CONSUMERS.into_iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(style, ".ep-f-c{at} {{ fill: rgb({r},{g},{b}) }}");
    }
    let (r, g, b) = REST;
    let _ = writeln!(style, ".ep-f-rest {{ fill: rgb({r},{g},{b}) }}");
    style
}

const STYLE: &str = "
.ep { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', 'Liberation Sans', sans-serif; font-size: 12px }
.ep text { fill: #1a1c1f }
.ep .ep-paper { fill: #fff }
.ep .ep-title { font-size: 17px; font-weight: 600 }
.ep .ep-strong { font-weight: 600 }
.ep .ep-dim { fill: #5c6167 }
.ep .ep-num { font-variant-numeric: tabular-nums }
.ep .ep-grid { stroke: #d9dce0; stroke-width: 1 }
.ep .ep-axis { stroke: #6b7076; stroke-width: 1; fill: none }
.ep .ep-mark { stroke: #6b7076; stroke-width: 1; stroke-dasharray: 3 3 }
.ep .ep-line { stroke: #000; stroke-width: 1.3; fill: none; stroke-linejoin: round }
.ep .ep-band { stroke: #fff; stroke-width: 0.35; stroke-linejoin: round }
.ep .ep-on { font-size: 11px; pointer-events: none; text-anchor: middle }
.ep .ep-on-dark { fill: #fff }
.ep .ep-mark-exec { fill: #1a1c1f }
.ep .ep-hatch { stroke: #9aa0a6; stroke-width: 1; fill: none }
.ep .ep-void { fill: #f1f2f4 }
.ep .ep-end { text-anchor: end }
.ep .ep-mid { text-anchor: middle }
.ep-s { fill: none; stroke: rgba(255,255,255,.55); stroke-width: 1 }
.ep-s-light { fill: none; stroke: rgba(0,0,0,.33); stroke-width: 1 }
.ep-f-other { fill: #d4d7da }
.ep-f-kernel { fill: #b3b8bd }
.ep-f-eprof { fill: #c6cacd }
.ep-f-idle { fill: #eceef0 }
.ep-f-unattributed { fill: #fff }
@media screen and (prefers-color-scheme: dark) {
.ep text { fill: #e6e8ea }
.ep .ep-paper { fill: #16181b }
.ep .ep-dim { fill: #a3a8ae }
.ep .ep-grid { stroke: #33373c }
.ep .ep-axis, .ep .ep-mark { stroke: #8b9197 }
.ep .ep-line { stroke: #fff }
.ep .ep-band { stroke: #16181b }
.ep .ep-on { fill: #111 }
.ep .ep-on-dark { fill: #fff }
.ep .ep-on-grey { fill: #e6e8ea }
.ep .ep-void { fill: #22262a }
.ep .ep-mark-exec { fill: #e6e8ea }
.ep .ep-mark-exec { fill: #1a1c1f }
.ep .ep-hatch { stroke: #5a6066 }
.ep-f-other { fill: #4b5157 }
.ep-f-kernel { fill: #636a71 }
.ep-f-eprof { fill: #575d63 }
.ep-f-idle { fill: #2a2e33 }
.ep-f-unattributed { fill: #16181b }
}
";

/// The fills, to be named by [`Fill::id`], and that of unknown time, `ep-gap`.
pub(super) fn patterns() -> Markup {
    let consumers = (0..MOST_CONSUMERS).map(Fill::Consumer);
    let accounts = Account::ALL.into_iter().skip(1).map(Fill::Account);
    html! {
        @for fill in consumers.chain([Fill::Rest]).chain(accounts) {
            pattern id=(fill.id()) width="8" height="8" patternUnits="userSpaceOnUse" {
                rect width="8" height="8" class=(fill.id().replacen("ep-", "ep-f-", 1)) {}
                @let on = if fill.dark() { "ep-s" } else { "ep-s-light" };
                @let strokes = strokes(fill);
                @if !strokes.is_empty() { path class=(on) d=(strokes) {} }
            }
        }
        pattern id="ep-gap" width="10" height="10" patternUnits="userSpaceOnUse" {
            rect width="10" height="10" class="ep-void" {}
            path class="ep-hatch" d="M0 10L10 0M-2 2L2 -2M8 12L12 8" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE 1976 L*, D65, of an sRGB colour.
    fn lightness((r, g, b): (u8, u8, u8)) -> f64 {
        let linear = |channel: u8| {
            let x = f64::from(channel) / 255.0;
            if x <= 0.040_45 {
                x / 12.92
            } else {
                ((x + 0.055) / 1.055).powf(2.4)
            }
        };
        let y = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        116.0 * y.cbrt() - 16.0
    }

    #[test]
    fn neighbours_differ_without_colours() {
        let all: Vec<f64> = CONSUMERS.into_iter().map(lightness).collect();
        for pair in all.windows(2) {
            assert!((pair[0] - pair[1]).abs() >= 25.0, "{all:?}");
        }
        for half in [0, 1] {
            let mut strokes: Vec<_> = STROKES.into_iter().skip(half).step_by(2).collect();
            strokes.sort_unstable();
            strokes.dedup();
            assert_eq!(strokes.len(), MOST_CONSUMERS / 2);
        }
        // Whatever is left out between them, dark stays below light.
        let darkest_light = all
            .iter()
            .skip(1)
            .step_by(2)
            .fold(100.0, |a: f64, b| a.min(*b));
        let lightest_dark = all.iter().step_by(2).fold(0.0, |a: f64, b| a.max(*b));
        assert!(lightest_dark < 52.0 && darkest_light > 75.0, "{all:?}");
    }
}
