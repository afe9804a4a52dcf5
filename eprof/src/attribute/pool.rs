//! Which meters are split by the same samples.

use std::collections::BTreeMap;

use crate::measurement::{Meter, MeterId};

/// Pools of meters that answer, directly or through others, for common CPUs.
/// The samples of those CPUs split the energy of all meters of the pool, so
/// that their errors are the same and not independent. Nested meters are in
/// no pool, as nothing of theirs is split over samples.
pub(super) fn pools(meters: &[Meter]) -> BTreeMap<MeterId, usize> {
    let meters = || meters.iter().filter(|meter| !meter.nested);
    let mut of_cpu: BTreeMap<u32, usize> = BTreeMap::new();
    for (fresh, meter) in meters().enumerate() {
        let joined: Vec<usize> = meter
            .cpus
            .iter()
            .filter_map(|cpu| of_cpu.insert(*cpu, fresh))
            .collect();
        for pool in of_cpu.values_mut() {
            if joined.contains(pool) {
                *pool = fresh;
            }
        }
    }
    // A meter without a list of CPUs answers for all of them.
    let everywhere = meters().any(|meter| meter.cpus.is_empty());
    let pool = |meter: &Meter| {
        let cpu = meter.cpus.first().filter(|_| !everywhere);
        cpu.and_then(|cpu| of_cpu.get(cpu)).copied().unwrap_or(0)
    };
    meters().map(|meter| (meter.id, pool(meter))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::{Domain, Provenance, Quantity, Scope, SourceKind};
    use crate::unit::{Nanos, Watts};

    fn same(scopes: &[&[u32]]) -> Vec<Vec<u16>> {
        let meters: Vec<Meter> = (0..)
            .zip(scopes)
            .map(|(id, cpus)| Meter {
                id: MeterId(id),
                kind: SourceKind::Perf,
                name: String::new(),
                domain: Domain::Package,
                scope: Scope::Machine,
                cpus: cpus.to_vec(),
                quantity: Quantity::Falling { unit_uj: 1.0 },
                provenance: Provenance::Measured,
                nested: false,
                update_period: Nanos(0),
                plausible: Watts(1.0),
            })
            .collect();
        let mut groups: BTreeMap<usize, Vec<u16>> = BTreeMap::new();
        for (meter, pool) in pools(&meters) {
            groups.entry(pool).or_default().push(meter.0);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort();
        groups
    }

    #[test]
    fn meters_of_common_cpus_are_one_pool() {
        // Two packages, each with DRAM.
        let scopes: &[&[u32]] = &[&[0, 1], &[2, 3], &[0, 1], &[2, 3]];
        assert_eq!(same(scopes), [[0, 2], [1, 3]]);
    }

    #[test]
    fn a_meter_of_all_cpus_joins_all_pools() {
        assert_eq!(same(&[&[0], &[1], &[0, 1]]), [[0, 1, 2]]);
        assert_eq!(same(&[&[0], &[1], &[]]), [[0, 1, 2]]);
    }
}
