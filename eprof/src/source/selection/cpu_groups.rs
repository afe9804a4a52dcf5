//! CPU groups: the grain at which CPU time must be accounted.

use std::collections::BTreeMap;

use crate::host::{CoreType, Cpus};
use crate::measurement::{CpuGroup, CpuGroupId, Meter};

/// The coarsest partition of the online CPUs in which every meter's scope is a
/// union of parts, and all cores of a part are alike: two CPUs are in
/// one group exactly when the same meters answer for both, and their cores are
/// of one type. Groups are in the order of their first CPU.
pub fn cpu_groups(meters: &[Meter], cpus: &Cpus) -> Vec<CpuGroup> {
    let mut parts: BTreeMap<(Vec<bool>, Option<CoreType>), Vec<u32>> = BTreeMap::new();
    for cpu in &cpus.online {
        let answers = meters
            .iter()
            .map(|meter| meter.cpus.binary_search(&cpu.cpu).is_ok())
            .collect();
        parts.entry((answers, cpu.kind)).or_default().push(cpu.cpu);
    }
    let mut parts: Vec<_> = parts
        .into_iter()
        .map(|((_, kind), cpus)| (cpus, kind))
        .collect();
    parts.sort();
    parts
        .into_iter()
        .enumerate()
        .map(|(position, (cpus, kind))| CpuGroup {
            id: CpuGroupId(u16::try_from(position).unwrap_or(u16::MAX)),
            cpus,
            core: kind.map_or_else(String::new, CoreType::name),
        })
        .collect()
}
