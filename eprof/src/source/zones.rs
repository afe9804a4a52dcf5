//! Zones: the grain at which CPU time must be accounted.

use std::collections::BTreeMap;

use super::meter::Meter;
use crate::host::Cpus;
use crate::kernel::ZoneId;
use crate::recording::Zone;

/// The coarsest partition of the online CPUs in which every meter's scope is a
/// union of parts: two CPUs share a zone exactly when the same meters answer
/// for both. Zones are in the order of their first CPU.
pub fn zones(meters: &[Meter], cpus: &Cpus) -> Vec<Zone> {
    let mut by_meters: BTreeMap<Vec<bool>, Vec<u32>> = BTreeMap::new();
    for cpu in cpus.numbers() {
        let answers = meters
            .iter()
            .map(|meter| meter.cpus.binary_search(&cpu).is_ok())
            .collect();
        by_meters.entry(answers).or_default().push(cpu);
    }
    let mut parts: Vec<Vec<u32>> = by_meters.into_values().collect();
    parts.sort();
    parts
        .into_iter()
        .enumerate()
        .map(|(position, cpus)| Zone {
            id: ZoneId(u16::try_from(position).unwrap_or(u16::MAX)),
            cpus,
            core: String::new(),
        })
        .collect()
}
