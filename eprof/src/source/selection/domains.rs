//! Which meters overlap: nothing is ever counted twice.
//!
//! * A counter that is reachable twice (by MSR and by MMIO, or once per die)
//!   is one meter.
//! * Core and uncore are inside package; psys overlaps everything. Meters
//!   that overlap others are kept and shown, marked `nested`, and not added.
//! * Package and DRAM together are preferred to psys as the set that adds up:
//!   they are per package, and psys is whatever the firmware makes of it.

use std::collections::BTreeSet;

use crate::host::Cpus;
use crate::measurement::{Domain, Meter, MeterId, Scope, SourceKind};

/// What becomes of each meter.
#[derive(Clone, Debug, PartialEq)]
pub struct Arranged {
    /// In the order of the meters given: the final description, or why it is
    /// dropped.
    pub outcomes: Vec<Result<Meter, String>>,
    /// Whether a die turned out to be the mirror image of another.
    pub mirrored: bool,
}

/// Arranges `meters`: `verdicts` says which can be believed and `mirrors`
/// which show another meter's counter (see [`super::verify::judge`] and
/// [`super::mirror::mirrors`]).
pub fn arrange(
    meters: &[Meter],
    verdicts: Vec<Result<(), String>>,
    mirrors: &[Option<usize>],
    cpus: &Cpus,
) -> Arranged {
    let mut outcomes: Vec<Result<Meter, String>> = meters
        .iter()
        .zip(verdicts)
        .map(|(meter, verdict)| verdict.map(|()| meter.clone()))
        .collect();
    drop_without_cpus(&mut outcomes);
    drop_second_paths(&mut outcomes);
    let mirrored = drop_mirrors(&mut outcomes, meters, mirrors, cpus);
    widen_lone_platform(&mut outcomes, cpus);
    mark_nested(&mut outcomes);
    let kept = outcomes.iter_mut().filter_map(|one| one.as_mut().ok());
    for (position, meter) in kept.enumerate() {
        meter.id = MeterId(u16::try_from(position).unwrap_or(u16::MAX));
    }
    Arranged { outcomes, mirrored }
}

fn drop_without_cpus(outcomes: &mut [Result<Meter, String>]) {
    for slot in outcomes {
        if slot.as_ref().is_ok_and(|meter| meter.cpus.is_empty()) {
            *slot = Err("no online CPU belongs to it".into());
        }
    }
}

/// The same powercap zone by MSR and by MMIO: the first of the list stays.
fn drop_second_paths(outcomes: &mut [Result<Meter, String>]) {
    let mut seen: Vec<(Domain, Scope, String)> = Vec::new();
    for slot in outcomes {
        let Ok(meter) = slot else { continue };
        if meter.kind != SourceKind::Powercap {
            continue;
        }
        let first = seen
            .iter()
            .find(|(domain, scope, _)| *domain == meter.domain && *scope == meter.scope);
        match first {
            Some((_, _, name)) => *slot = Err(format!("it is the same counter as {name}")),
            None => seen.push((meter.domain, meter.scope, meter.name.clone())),
        }
    }
}

fn drop_mirrors(
    outcomes: &mut [Result<Meter, String>],
    meters: &[Meter],
    mirrors: &[Option<usize>],
    cpus: &Cpus,
) -> bool {
    let mut any = false;
    for (i, original) in mirrors.iter().enumerate() {
        let Some(original) = *original else { continue };
        let name = match outcomes.get(original) {
            Some(Ok(meter)) => meter.name.clone(),
            _ => continue,
        };
        if let Some(slot @ Ok(_)) = outcomes.get_mut(i) {
            *slot = Err(format!(
                "it is the same counter as {name}, listed once more for this die"
            ));
            any = true;
        }
        // A counter that two dies show is the package's.
        let package = meters.get(original).and_then(|meter| match meter.scope {
            Scope::Die { package, .. } => Some(Scope::Package(package)),
            Scope::Machine | Scope::Package(_) | Scope::Core { .. } => None,
        });
        if let (Some(scope), Some(Ok(meter))) = (package, outcomes.get_mut(original)) {
            meter.scope = scope;
            meter.cpus = cpus.in_scope(scope);
        }
    }
    any
}

/// A server's platform counter exists on its root package only (the others
/// read 0): the one that counts, counts for the whole machine.
fn widen_lone_platform(outcomes: &mut [Result<Meter, String>], cpus: &Cpus) {
    let mut platforms = outcomes
        .iter_mut()
        .filter_map(|one| one.as_mut().ok())
        .filter(|meter| meter.domain == Domain::Psys);
    if let (Some(only), None) = (platforms.next(), platforms.next()) {
        only.scope = Scope::Machine;
        only.cpus = cpus.in_scope(Scope::Machine);
    }
}

fn mark_nested(outcomes: &mut [Result<Meter, String>]) {
    let kept: Vec<Meter> = outcomes.iter().filter_map(|one| one.clone().ok()).collect();
    let packages = kept.iter().any(|meter| meter.domain == Domain::Package);
    for meter in outcomes.iter_mut().filter_map(|one| one.as_mut().ok()) {
        meter.nested = if meter.domain == Domain::Psys {
            packages
        } else {
            kept.iter().any(|outer| contains(outer, meter, packages))
        };
    }
}

/// Whether `outer` counts everything that `inner` counts.
fn contains(outer: &Meter, inner: &Meter, packages: bool) -> bool {
    let domains = match (outer.domain, inner.domain) {
        (Domain::Package, Domain::Core | Domain::Uncore) => true,
        // All cores of a package, and one core.
        (Domain::Core, Domain::Core) => {
            !matches!(outer.scope, Scope::Core { .. }) && matches!(inner.scope, Scope::Core { .. })
        }
        // Where there are packages, psys is the one that is not added.
        (Domain::Psys, Domain::Package | Domain::Core | Domain::Uncore | Domain::Dram) => !packages,
        _ => false,
    };
    let outer_cpus: BTreeSet<u32> = outer.cpus.iter().copied().collect();
    domains && inner.cpus.iter().all(|cpu| outer_cpus.contains(cpu))
}
