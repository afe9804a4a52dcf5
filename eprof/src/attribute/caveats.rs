//! What makes the numbers of attribution less true.

use std::collections::BTreeSet;

use crate::caveat::Caveat;
use crate::recording::Header;
use crate::unit::Nanos;

use super::meter_accounts::MeterAccounts;

/// What is clear from the start.
pub(super) fn before(header: &Header) -> Vec<Caveat> {
    let mut metered = BTreeSet::new();
    for meter in header.meters.iter().filter(|meter| !meter.nested) {
        if meter.cpus.is_empty() {
            return Vec::new();
        }
        metered.extend(meter.cpus.iter().copied());
    }
    let cpus = header.cpu_groups.iter().flat_map(|group| &group.cpus);
    let blind: Vec<String> = cpus
        .filter(|cpu| !metered.contains(cpu))
        .map(u32::to_string)
        .collect();
    if blind.is_empty() || header.meters.is_empty() {
        return Vec::new();
    }
    vec![Caveat::new(
        "cpus-unmetered",
        format!(
            "no meter covers CPU {}, so what ran there is charged nothing",
            blind.join(", ")
        ),
    )]
}

/// What the accounts of the meters show at the end.
pub(super) fn after(meters: &[MeterAccounts], (weighed, by_time): (u64, u64)) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    let disjoint = || meters.iter().filter(|of| !of.meter().nested);
    let unknown: Vec<_> = disjoint()
        .filter(|of| of.idle.is_none() && of.total().0 > 0)
        .map(|of| of.meter().name.as_str())
        .collect();
    if !unknown.is_empty() {
        caveats.push(
            Caveat::new(
                "idle-unknown",
                format!(
                    "the idle power of {} is unknown, so whatever ran is charged with all energy, and energy above idle equals energy with idle share",
                    unknown.join(", ")
                ),
            )
            .hint("let the machine be idle before the run, or give --idle-power"),
        );
    }
    for accounts in disjoint() {
        if let Some(idle) = accounts.idle.filter(|idle| idle.is_too_high()) {
            caveats.push(
                Caveat::new(
                    "idle-too-high",
                    format!(
                        "{} often used less than its idle power of {:.2} W, so this idle power is too high",
                        accounts.meter().name,
                        idle.power().0
                    ),
                )
                .hint("measure idle power again on an idle machine, or give --idle-power"),
            );
        }
    }
    if by_time > 0 {
        caveats.push(Caveat::new(
            "weights-mixed",
            format!(
                "in {by_time} of {} spans, a signal was not counted for every thread that ran; \
                 CPU time divides the energy of these spans",
                weighed.saturating_add(by_time)
            ),
        ));
    }
    caveats
}

/// Threads ran that could not be followed.
pub(super) fn nameless(time: Nanos) -> Caveat {
    Caveat::new(
        "threads-unnamed",
        format!(
            "threads that could not be followed used {:.3} s of the target's CPU time; they are charged together as [unnamed]",
            time.seconds()
        ),
    )
}
