//! Guards: more power than this is not believed.
//!
//! A guard catches a counter that went wrong (a missed wrap is at least 65 kJ,
//! firmware garbage is often megawatts); it must never refuse a real machine,
//! so all figures are several times what hardware of 2025 can draw.

use crate::measurement::{Domain, Scope};
use crate::unit::Watts;

/// One package or die: server processors of 2025 are specified up to 500 W.
const PACKAGE: f64 = 1_000.0;
/// One core: a core of a desktop processor in full boost takes below 60 W.
const CORE: f64 = 200.0;
/// The memory of one package: 32 modules at 15 W are 480 W.
const DRAM: f64 = 1_000.0;
/// A platform, per package, with accelerators.
const PLATFORM: f64 = 10_000.0;

/// The guard for a meter of `domain` and `scope` on a machine with
/// `packages` packages.
pub fn guard(domain: Domain, scope: Scope, packages: usize) -> Watts {
    let machine = match scope {
        Scope::Machine => packages.max(1) as f64,
        Scope::Package(_) | Scope::Die { .. } | Scope::Core { .. } => 1.0,
    };
    let one = match (domain, scope) {
        (Domain::Core, Scope::Core { .. }) => CORE,
        (Domain::Package | Domain::Core | Domain::Uncore, _) => PACKAGE,
        (Domain::Dram, _) => DRAM,
        (Domain::Psys, _) => PLATFORM,
    };
    Watts(one * machine)
}

/// The guard for a powercap zone whose firmware names a largest power in
/// microwatts (`constraint_*_max_power_uw`): three times that, since short
/// peaks (PL2, PL4) go beyond it, within 100 W and the general guard.
pub fn guard_from_limit(limit_uw: u64, general: Watts) -> Watts {
    if limit_uw == 0 {
        return general;
    }
    let watts = limit_uw as f64 / 1e6 * 3.0;
    Watts(watts.max(100.0).min(general.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_narrows_the_guard_but_never_below_100_watts() {
        let general = Watts(1_000.0);
        let near = |a: Watts, b: f64| (a.0 - b).abs() < 1e-9;
        assert!(near(guard_from_limit(65_000_000, general), 195.0));
        assert!(near(guard_from_limit(4_500_000, general), 100.0));
        assert!(near(guard_from_limit(0, general), 1_000.0));
        assert!(near(guard_from_limit(u64::MAX, general), 1_000.0));
    }
}
