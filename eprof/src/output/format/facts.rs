//! Facts about a run, as labels and sentences: for tables and pages.

use std::collections::BTreeSet;

use crate::attribute::Account;
use crate::carbon::Carbon;
use crate::profile::{Profile, StackShare};

use super::accounts::{coarsest_half, target_half};
use super::attribution;
use super::energy::{EnergyText, has_reading};
use super::number::{bytes, count, counted, estimate, percent, time, with_error};
use super::sanitize::visible;
use super::title::source;

/// The greenhouse gas that the energy stands for.
fn emitted(carbon: &Carbon, profile: &Profile, energy_text: EnergyText) -> String {
    let target = profile.ledger.account(Account::Target).with_idle;
    let grams = |energy| {
        let grams = carbon.grams(energy);
        match energy_text.estimated {
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

/// What ran, what it used, and where that is from: labels and sentences.
pub(in crate::output) fn of_run(
    profile: &Profile,
    energy_text: EnergyText,
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
        fact("sum of", &runs(profile));
    }
    let target = profile.ledger.account(Account::Target);
    let half = target_half(profile);
    let duration = Some(summary.duration.0);
    let full = energy_text.with_idle(target);
    if full.is_some() {
        let above = match energy_text.above_idle(target) {
            Some(uj) => format!(" ({} above idle)", energy_text.short(Some(uj), half)),
            None => String::new(),
        };
        fact(
            "energy",
            &format!(
                "{} in the target{above}, {} mean",
                energy_text.long(full, half),
                energy_text.watts(full, half, duration)
            ),
        );
        let (total, coarsest) = (profile.ledger.total(), coarsest_half(profile));
        // Runs side by side on a host have each read all of it.
        let shared = profile.members.iter().any(|run| run.overlaps);
        let machine = match shared {
            true => format!(
                "{} in all, counted by each run that shared a host",
                energy_text.short(Some(total.0), coarsest)
            ),
            false => format!(
                "{} in all, {} mean",
                energy_text.short(Some(total.0), coarsest),
                energy_text.watts(Some(total.0), coarsest, duration)
            ),
        };
        fact("machine", &machine);
        if let Some(carbon) = &summary.carbon {
            fact("carbon", &emitted(carbon, profile, energy_text));
        }
    } else {
        fact("energy", "unknown: no meter gave a usable reading");
    }
    let silent = profile
        .ledger
        .disjoint()
        .filter(|m| !has_reading(m))
        .count();
    let how = match silent {
        _ if !energy_text.known => "nothing".to_owned(),
        0 => energy_text.provenance().to_owned(),
        n => format!(
            "{} (but {n} of these gave no reading)",
            energy_text.provenance()
        ),
    };
    fact("source", &format!("{how}: {}", source(profile)));
    if energy_text.known {
        for sentence in attribution::sentences(profile) {
            fact("divided", &sentence);
        }
    }
    facts
}

/// What is said of what only the end of a recording tells.
const NOT_KNOWN: &str = "not known, as the recording has no end";

/// What eprof itself cost, and what was lost: labels and sentences.
pub(in crate::output) fn of_recording(
    profile: &Profile,
    energy_text: EnergyText,
) -> Vec<(&'static str, String)> {
    let losses = &profile.losses.0;
    let known = losses
        .iter()
        .map(|(reason, n)| format!("{} {}", count(*n), visible(reason)));
    let known = known.collect::<Vec<_>>().join(", ");
    let lost = match (known.is_empty(), profile.is_unfinished()) {
        (true, false) => "nothing".to_owned(),
        (false, false) => known,
        (true, true) => NOT_KNOWN.to_owned(),
        (false, true) => format!("{known}, and more: {NOT_KNOWN}"),
    };
    let mut facts = vec![
        ("eprof itself", footprint(profile, energy_text)),
        ("lost", lost),
    ];
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

fn footprint(profile: &Profile, energy_text: EnergyText) -> String {
    let footprint = &profile.summary.footprint;
    let mut text = match profile.is_unfinished() {
        true => format!("CPU {NOT_KNOWN}"),
        false => format!("{} CPU", time(footprint.cpu.0)),
    };
    if !profile.is_unfinished()
        && let Some(share) = percent(footprint.cpu.0, profile.summary.duration.0)
    {
        text.push_str(&format!(" ({share} of one CPU)"));
    }
    if energy_text.known {
        let own = energy_text.with_idle(profile.ledger.account(Account::Eprof));
        text.push_str(&format!(", {}", energy_text.short(own, None)));
    }
    if footprint.peak_rss > 0 {
        text.push_str(&format!(", {} memory", bytes(footprint.peak_rss)));
    }
    let hooks: Vec<String> = footprint
        .programs
        .iter()
        .map(|(name, runs, mean)| {
            let name = visible(name);
            match mean {
                Some(mean) => {
                    let each = time(mean.round().max(0.0) as u64);
                    format!("{name} {} × {each}", count(*runs))
                }
                None => format!("{name} {}", counted(*runs, "run", "runs")),
            }
        })
        .collect();
    if !hooks.is_empty() {
        text.push_str(&format!("; in the kernel: {}", hooks.join(", ")));
    }
    text
}

/// `64 runs on 4 hosts`.
fn runs(profile: &Profile) -> String {
    let members = &profile.members;
    let hosts: BTreeSet<&str> = members.iter().map(|run| run.host.as_str()).collect();
    let runs = counted(members.len() as u64, "run", "runs");
    match hosts.first() {
        Some(host) if hosts.len() == 1 => format!("{runs} on {}", visible(host)),
        _ => format!("{runs} on {} hosts", hosts.len()),
    }
}
