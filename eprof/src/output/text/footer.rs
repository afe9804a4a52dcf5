//! What follows the tables: eprof's own cost, what was lost, and caveats.

use crate::attribute::Account;
use crate::caveat::Caveat;
use crate::profile::{Profile, StackShare};

use super::style::Style;
use crate::output::format::energy::EnergyText;
use crate::output::format::number::{bytes, count, percent, time};
use crate::output::format::sanitize::{visible, wrapped};

/// A labelled paragraph.
fn paragraph(label: &str, text: &str, look: Style, lines: &mut Vec<String>) {
    let lead = look.dim(&format!("{label:<14}"));
    for (at, line) in wrapped(text, look.width.saturating_sub(14))
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
pub(in crate::output) fn lines(profile: &Profile, claim: EnergyText, look: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for (label, text) in facts(profile, claim) {
        paragraph(label, &text, look, &mut lines);
    }
    if !profile.caveats.is_empty() {
        lines.push(look.dim("caveats"));
    }
    lines.extend(caveats(&profile.caveats, look));
    lines
}

/// The lines about caveats, each with its hint.
pub(in crate::output) fn caveats<'c>(
    caveats: impl IntoIterator<Item = &'c Caveat>,
    look: Style,
) -> Vec<String> {
    let mut lines = Vec::new();
    for caveat in caveats {
        let sentence = wrapped(&visible(&caveat.sentence), look.width.saturating_sub(4));
        for (at, line) in sentence.into_iter().enumerate() {
            let mark = if at == 0 { "! " } else { "  " };
            lines.push(look.warn(&format!("  {mark}{line}")));
        }
        if let Some(hint) = &caveat.hint {
            let hint = format!("hint: {}", visible(hint));
            for line in wrapped(&hint, look.width.saturating_sub(6)) {
                lines.push(format!("      {line}"));
            }
        }
    }
    lines
}

/// What eprof itself cost, and what was lost: labels and sentences.
pub(in crate::output) fn facts(
    profile: &Profile,
    claim: EnergyText,
) -> Vec<(&'static str, String)> {
    let losses = &profile.losses.0;
    let lost = if losses.is_empty() {
        "nothing".to_owned()
    } else {
        let losses = losses
            .iter()
            .map(|(reason, n)| format!("{} {}", count(*n), visible(reason)));
        losses.collect::<Vec<_>>().join(", ")
    };
    let mut facts = vec![("eprof itself", footprint(profile, claim)), ("lost", lost)];
    facts.extend(stacks(&profile.summary.stacks).map(|text| ("stacks", text)));
    facts
}

/// Which share of the stacks is whole; `None` where all are, or there is none.
fn stacks(share: &StackShare) -> Option<String> {
    if share.ended.is_empty() {
        return None;
    }
    let whole = percent(share.whole(), share.samples)?;
    let ended = share
        .ended
        .iter()
        .map(|(reason, n)| format!("{} {reason}", count(*n)));
    let ended: Vec<_> = ended.collect();
    Some(format!("{whole} whole; not: {}", ended.join(", ")))
}

fn footprint(profile: &Profile, claim: EnergyText) -> String {
    let footprint = &profile.summary.footprint;
    let mut text = format!("{} CPU", time(footprint.cpu.0));
    if let Some(share) = percent(footprint.cpu.0, profile.summary.duration.0) {
        text.push_str(&format!(" ({share} of one CPU)"));
    }
    if claim.energy {
        let own = claim.full(profile.ledger.account(Account::Eprof));
        text.push_str(&format!(", {}", claim.short(own, None)));
    }
    if footprint.peak_rss > 0 {
        text.push_str(&format!(", {} memory", bytes(footprint.peak_rss)));
    }
    let hooks: Vec<String> = footprint
        .programs
        .iter()
        .map(|(name, runs, mean)| {
            let (name, runs) = (visible(name), count(*runs));
            match mean {
                Some(mean) => format!("{name} {runs} × {}", time(mean.round().max(0.0) as u64)),
                None => format!("{name} {runs} runs"),
            }
        })
        .collect();
    if !hooks.is_empty() {
        text.push_str(&format!("; in the kernel: {}", hooks.join(", ")));
    }
    text
}
