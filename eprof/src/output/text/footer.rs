//! What follows the tables: eprof's own cost, what was lost, and caveats.

use crate::caveat::Caveat;
use crate::profile::Profile;

use super::style::Style;
use crate::output::format::energy::EnergyText;
use crate::output::format::facts::of_recording;
use crate::output::format::sanitize::{visible, wrapped};

/// A labelled paragraph.
fn paragraph(label: &str, text: &str, style: Style, lines: &mut Vec<String>) {
    let lead = style.dim(&format!("{label:<14}"));
    for (at, line) in wrapped(text, style.width.saturating_sub(14))
        .into_iter()
        .enumerate()
    {
        let lead = if at == 0 {
            lead.as_str()
        } else {
            "              "
        };
        lines.push(format!("{lead}{line}"));
    }
}

/// The lines about eprof's own cost, losses and caveats.
pub(in crate::output) fn lines(
    profile: &Profile,
    energy_text: EnergyText,
    style: Style,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (label, text) in of_recording(profile, energy_text) {
        paragraph(label, &text, style, &mut lines);
    }
    if !profile.caveats.is_empty() {
        lines.push(style.dim("caveats"));
    }
    lines.extend(caveats(&profile.caveats, style));
    lines
}

/// The lines about caveats, each with its hint.
pub(in crate::output) fn caveats<'c>(
    caveats: impl IntoIterator<Item = &'c Caveat>,
    style: Style,
) -> Vec<String> {
    let mut lines = Vec::new();
    for caveat in caveats {
        let sentence = wrapped(&visible(&caveat.sentence), style.width.saturating_sub(4));
        for (at, line) in sentence.into_iter().enumerate() {
            let mark = if at == 0 { "! " } else { "  " };
            lines.push(style.warn(&format!("  {mark}{line}")));
        }
        if let Some(hint) = &caveat.hint {
            let hint = format!("hint: {}", visible(hint));
            for line in wrapped(&hint, style.width.saturating_sub(6)) {
                lines.push(format!("      {line}"));
            }
        }
    }
    lines
}
