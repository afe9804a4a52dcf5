//! What pictures, pages and tables call a run: its command, its meters, and how
//! much energy that was.

use std::collections::BTreeMap;

use crate::attribute::{Account, MeterLedger};
use crate::measurement::{Domain, SourceKind};
use crate::profile::Profile;

use super::accounts::target_half;
use super::energy::EnergyText;
use super::number::{counted, time};
use super::sanitize::{harmless, visible};

/// The command as it could be typed, harmless in a terminal.
pub(in crate::output) fn command(profile: &Profile) -> String {
    let words = profile.summary.header.command.argv.iter();
    let words: Vec<String> = words
        .map(|word| {
            let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                word.clone()
            } else {
                format!("'{}'", harmless(word).replace('\'', "'\\''"))
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

/// How much, for how long, and where that is from.
pub(in crate::output) fn subtitle(profile: &Profile, energy_text: EnergyText) -> String {
    let target = profile.ledger.account(Account::Target);
    let half = target_half(profile);
    let duration = profile.summary.duration.0;
    let full = energy_text.with_idle(target);
    let (energy, watts) = (
        energy_text.long(full, half),
        energy_text.watts(full, half, Some(duration)),
    );
    let how = if energy_text.estimated {
        "estimated (shares stay valid)".to_owned()
    } else {
        format!("measured by {}", source(profile))
    };
    format!("{energy} in {}, {watts} mean; {how}", time(duration))
}
