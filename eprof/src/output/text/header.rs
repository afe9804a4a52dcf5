//! The head of every report: what ran, for how long, and what it used.

use std::collections::BTreeMap;

use crate::attribute::{Account, MeterLedger};
use crate::carbon::Carbon;
use crate::measurement::{Domain, SourceKind};
use crate::profile::Profile;

use super::ledger::{coarsest_half, target_half};
use super::style::Style;
use super::{attribution, runs};
use crate::output::format::energy::{EnergyText, spoke};
use crate::output::format::number::{count, counted, estimate, time, with_error};
use crate::output::format::sanitize::{shorten, visible, visible_text, wrapped};

/// The command as it could be typed, harmless in a terminal.
pub(in crate::output) fn command(profile: &Profile) -> String {
    let words = profile.summary.header.command.argv.iter();
    let words: Vec<String> = words
        .map(|word| {
            let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                word.clone()
            } else {
                format!("'{}'", visible_text(word).replace('\'', "'\\''"))
            }
        })
        .collect();
    if words.is_empty() {
        "(unknown command)".to_owned()
    } else {
        words.join(" ")
    }
}

/// The meters that make up the total, by interface and domain: `perf package
/// power/energy-pkg/`, or `perf 2 × package` where they are several.
pub(in crate::output) fn source(profile: &Profile) -> String {
    let header = &profile.summary.header;
    let mut groups: BTreeMap<(SourceKind, Domain), Vec<&MeterLedger>> = BTreeMap::new();
    let mut orphans = 0;
    for ledger in profile.ledger.disjoint() {
        match header.meters.iter().find(|m| m.id == ledger.meter) {
            Some(meter) => {
                let group = groups.entry((meter.kind, ledger.domain));
                group.or_default().push(ledger);
            }
            None => orphans += 1,
        }
    }
    let mut parts: Vec<String> = Vec::new();
    let mut last = None;
    for ((kind, domain), meters) in groups {
        let what = match meters.as_slice() {
            [one] => format!("{} {}", domain.name(), visible(&one.name)),
            several => format!("{} × {}", several.len(), domain.name()),
        };
        parts.push(if last == Some(kind) {
            what
        } else {
            format!("{} {what}", kind.name())
        });
        last = Some(kind);
    }
    if orphans > 0 {
        parts.push(counted(orphans, "unknown meter", "unknown meters"));
    }
    if parts.is_empty() {
        "no meter".to_owned()
    } else {
        parts.join(", ")
    }
}

/// What the energy stands for in greenhouse gas.
fn emitted(carbon: &Carbon, profile: &Profile, claim: EnergyText) -> String {
    let target = profile.ledger.account(Account::Target).with_idle;
    let grams = |energy| {
        let grams = carbon.grams(energy);
        match claim.estimated {
            true => estimate(grams, None, "gCO2e").0.text(),
            false => with_error(grams, None, "gCO2e").text(),
        }
    };
    format!(
        "{} in the target, {} in all, by {}",
        grams(target),
        grams(profile.ledger.total()),
        visible(&carbon.to_string())
    )
}

/// The sentence without which an estimate would be a lie.
pub(in crate::output) const ESTIMATE: &str = "The joules are estimated from CPU time, not measured: they may be off by \
the whole range. The shares between rows stay valid.";

/// What stands in the first lines.
pub(in crate::output) fn lines(profile: &Profile, claim: EnergyText, look: Style) -> Vec<String> {
    let name = "eprof: ";
    let command = command(profile);
    let command = shorten(&command, look.width.saturating_sub(name.len()));
    let mut lines = vec![format!("{}{}", look.dim(name), look.bold(&command))];
    for (label, text) in facts(profile, claim) {
        let text = wrapped(&text, look.width.saturating_sub(12));
        for (at, line) in text.into_iter().enumerate() {
            let label = format!("  {:<10}", if at == 0 { label } else { "" });
            lines.push(format!("{}{line}", look.dim(&label)).trim_end().to_owned());
        }
    }
    if claim.estimated {
        for line in wrapped(ESTIMATE, look.width.saturating_sub(2)) {
            lines.push(look.warn(&format!("  {line}")));
        }
    }
    lines
}

/// What ran, what it used, and where that is from: labels and sentences.
pub(in crate::output) fn facts(
    profile: &Profile,
    claim: EnergyText,
) -> Vec<(&'static str, String)> {
    let summary = &profile.summary;
    let mut facts = Vec::new();
    let mut fact = |label: &'static str, text: &str| facts.push((label, text.to_owned()));
    let mut ran = vec![time(summary.duration.0)];
    match summary.exit_code {
        Some(0) => {}
        Some(code) => ran.push(format!("exit code {code}")),
        None => ran.push("the recording was cut off: exit code unknown".to_owned()),
    }
    let (processes, threads) = (profile.processes.len(), profile.threads.len());
    ran.push(format!(
        "{}, {}",
        counted(processes as u64, "process", "processes"),
        counted(threads as u64, "thread", "threads")
    ));
    if summary.header.frequency_hz > 0 {
        ran.push(format!(
            "{} at {} Hz",
            counted(summary.samples, "sample", "samples"),
            count(summary.header.frequency_hz.into())
        ));
    } else {
        ran.push("stacks not sampled".to_owned());
    }
    fact("ran", &ran.join(", "));

    if !profile.members.is_empty() {
        fact("sum of", &runs::what(profile));
    }
    let target = profile.ledger.account(Account::Target);
    let half = target_half(profile);
    let duration = Some(summary.duration.0);
    let full = claim.full(target);
    if full.is_some() {
        let above = match claim.marginal(target) {
            Some(uj) => format!(" ({} above idle)", claim.short(Some(uj), half)),
            None => String::new(),
        };
        fact(
            "energy",
            &format!(
                "{} in the target{above}, {} mean",
                claim.text(full, half),
                claim.watts(full, half, duration)
            ),
        );
        let (total, coarsest) = (profile.ledger.total(), coarsest_half(profile));
        // Runs side by side on a host have each read all of it.
        let shared = profile.members.iter().any(|run| run.overlaps);
        let machine = match shared {
            true => format!(
                "{} in all, counted by each run that shared a host",
                claim.short(Some(total.0), coarsest)
            ),
            false => format!(
                "{} in all, {} mean",
                claim.short(Some(total.0), coarsest),
                claim.watts(Some(total.0), coarsest, duration)
            ),
        };
        fact("machine", &machine);
        if let Some(carbon) = &summary.carbon {
            fact("carbon", &emitted(carbon, profile, claim));
        }
    } else {
        fact("energy", "unknown: no meter said anything usable");
    }
    let silent = profile.ledger.disjoint().filter(|m| !spoke(m)).count();
    let how = match silent {
        _ if !claim.energy => "nothing".to_owned(),
        0 => claim.provenance().to_owned(),
        n => format!("{} (but by {n} of these)", claim.provenance()),
    };
    fact("source", &format!("{how}: {}", source(profile)));
    if claim.energy {
        for sentence in attribution::sentences(profile) {
            fact("shared", &sentence);
        }
    }
    facts
}
