//! `/sys/class/powercap`: the RAPL zones of Intel and AMD processors
//! (`Documentation/power/powercap/powercap.rst`).

use std::path::PathBuf;

use super::discovery::{Discovery, Unusable};
use super::file_source::{FileSource, NumberFile};
use super::plausible;
use super::sensor::{Found, Sensor, Surroundings};
use crate::host::remedy::{self, Asked};
use crate::host::{Cpus, SysRoot};
use crate::measurement::{Domain, Meter, MeterId, Provenance, Quantity, Scope, SourceKind};
use crate::unit::Nanos;

/// The class directory.
pub const CLASS: &str = "/sys/class/powercap";

/// Nominal update period of RAPL registers (Intel SDM vol. 3B, 16.10.3;
/// AMD: `Documentation/hwmon/amd_energy.rst`).
pub const RAPL_UPDATE_PERIOD: Nanos = Nanos(1_000_000);

/// Why a counter is denied to this user.
const DENIED: &str = "only root may read it (since Linux 5.10, because fine-grained energy leaks \
                      secrets, CVE-2020-8694)";

/// RAPL zones that have an energy counter.
pub struct Powercap;

impl Sensor for Powercap {
    fn kind(&self) -> SourceKind {
        SourceKind::Powercap
    }

    fn discover(&self, here: &mut Surroundings<'_>) -> Found {
        FileSource::found(discover(here.root, here.cpus), DENIED)
    }

    fn hint(&self) -> Option<&'static str> {
        Some(remedy::hint(Asked::Files))
    }
}

/// Finds all zones with an energy counter below `root`.
pub fn discover(root: &SysRoot, cpus: &Cpus) -> Discovery<PathBuf> {
    let Ok(directory) = std::fs::read_dir(root.path(CLASS)) else {
        return Discovery::absent(format!(
            "there is no {CLASS} (no RAPL driver; on Intel and AMD try: sudo modprobe \
             intel_rapl_msr)"
        ));
    };
    let mut names: Vec<String> = directory
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.contains(':'))
        .collect();
    names.sort_by_key(|name| key(name));

    let mut discovery = Discovery::default();
    for zone in names {
        match meter(root, cpus, &zone) {
            Ok(mut meter) => {
                let id = u16::try_from(discovery.found.len()).unwrap_or(u16::MAX);
                meter.id = MeterId(id);
                let path = root.path(format!("{CLASS}/{zone}/energy_uj"));
                discovery.found.push((meter, path));
            }
            Err(why) => discovery.unusable.push(Unusable::new(zone, why)),
        }
    }
    if discovery.found.is_empty() && discovery.unusable.is_empty() {
        discovery.absent = Some(format!("{CLASS} holds no zones"));
    }
    discovery
}

/// Sorts zones by control type, then by their numbers, so that `:10` comes
/// after `:9`, and `intel-rapl` before `intel-rapl-mmio`.
fn key(zone: &str) -> (String, Vec<u64>) {
    let (control, numbers) = zone.split_once(':').unwrap_or((zone, ""));
    let numbers = numbers
        .split(':')
        .map(|number| number.parse().unwrap_or(u64::MAX))
        .collect();
    (control.to_owned(), numbers)
}

fn meter(root: &SysRoot, cpus: &Cpus, zone: &str) -> Result<Meter, String> {
    let name = read_name(root, zone)?;
    let (domain, scope) = coverage(root, cpus, zone, &name)?;
    let covered = cpus.in_scope(scope);
    let general = plausible::guard(domain, scope, cpus.packages().len());
    Ok(Meter {
        id: MeterId(0),
        kind: SourceKind::Powercap,
        name: zone.to_owned(),
        domain,
        scope,
        cpus: covered,
        quantity: Quantity::Counter {
            unit_uj: 1.0,
            modulus: range(root, zone).map(modulus),
        },
        provenance: Provenance::Measured,
        nested: false,
        update_period: RAPL_UPDATE_PERIOD,
        plausible: plausible::guard_from_limit(largest_power(root, zone), general),
    })
}

fn read_name(root: &SysRoot, zone: &str) -> Result<String, String> {
    root.read(format!("{CLASS}/{zone}/name"))
        .map(|name| name.trim().to_owned())
        .map_err(|error| format!("its name cannot be read: {error}"))
}

/// Domain and scope from the zone's name; for subzones the scope is that of
/// the parent zone.
fn coverage(
    root: &SysRoot,
    cpus: &Cpus,
    zone: &str,
    name: &str,
) -> Result<(Domain, Scope), String> {
    if let Some(scope) = package_scope(cpus, name) {
        return Ok((Domain::Package, scope));
    }
    // `psys`, or `psys-1` on the second root package.
    if let Some(rest) = name.strip_prefix("psys") {
        let package = rest.strip_prefix('-').and_then(|n| n.parse().ok());
        let scope = match (package, cpus.packages().len()) {
            (Some(package), 2..) => Scope::Package(package),
            _ => Scope::Machine,
        };
        return Ok((Domain::Psys, scope));
    }
    let domain = match name {
        "core" => Domain::Core,
        "uncore" => Domain::Uncore,
        "dram" => Domain::Dram,
        other => return Err(format!("a zone named “{}” is not understood", clip(other))),
    };
    let parent = zone
        .rsplit_once(':')
        .map(|(parent, _)| parent)
        .filter(|parent| parent.contains(':'))
        .ok_or("it has no parent zone that says which package it belongs to")?;
    let scope = package_scope(cpus, &read_name(root, parent)?)
        .ok_or("its parent zone does not say which package it is")?;
    Ok((domain, scope))
}

/// `package-0` or `package-0-die-1`, as `rapl_package_add` writes them.
fn package_scope(cpus: &Cpus, name: &str) -> Option<Scope> {
    let rest = name.strip_prefix("package-")?;
    match rest.split_once("-die-") {
        None => Some(Scope::Package(rest.parse().ok()?)),
        Some((package, die)) => {
            let (package, die) = (package.parse().ok()?, die.parse().ok()?);
            // Kernels name dies by a logical number as well; where no CPU has
            // it as its die_id, an only die is the whole package.
            let scope = Scope::Die { package, die };
            let dies = cpus.online.iter().filter(|cpu| cpu.package == package);
            let one = dies
                .map(|cpu| cpu.die)
                .collect::<std::collections::BTreeSet<_>>();
            if cpus.in_scope(scope).is_empty() && one.len() == 1 {
                return Some(Scope::Package(package));
            }
            Some(scope)
        }
    }
}

fn range(root: &SysRoot, zone: &str) -> Option<u64> {
    let path = root.path(format!("{CLASS}/{zone}/max_energy_range_uj"));
    let (_, range) = NumberFile::open(&path).ok()?;
    (range > 0).then_some(range)
}

/// The number of microjoules after which a zone starts again at zero.
///
/// `max_energy_range_uj` is the *largest value*, (2³²−1) hardware units
/// (`rapl_unit_xlate(ENERGY_STATUS_MASK)` in `intel_rapl_common.c`), so that
/// the counter starts again one unit later. The unit follows from the range:
/// 61 µJ for 262 143 328 850 µJ. It is at least the file's own resolution.
pub fn modulus(range: u64) -> u64 {
    let counts = u64::from(u32::MAX);
    let unit = range.saturating_add(counts / 2) / counts;
    range.saturating_add(unit.max(1))
}

/// The largest power in microwatts that any constraint of the zone names, 0
/// where none does.
fn largest_power(root: &SysRoot, zone: &str) -> u64 {
    (0..4)
        .filter_map(|constraint| {
            let file = format!("{CLASS}/{zone}/constraint_{constraint}_max_power_uw");
            root.read(file).ok()?.trim().parse::<u64>().ok()
        })
        .max()
        .unwrap_or(0)
}

/// A name for people, of bounded length and without control characters.
fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modulus_is_one_hardware_unit_beyond_the_range() {
        // 2^-14 J units: the kernel computes with 61 035 nJ per unit.
        assert_eq!(modulus(262_143_328_850), 262_143_328_911);
        // 2^-16 J units: 15 258 nJ.
        assert_eq!(modulus(65_532_610_987), 65_532_610_987 + 15);
        // A range in whole microjoules.
        assert_eq!(modulus(999_999), 1_000_000);
        assert_eq!(modulus(u64::MAX), u64::MAX);
    }

    #[test]
    fn zones_sort_by_their_numbers() {
        let mut zones = [
            "intel-rapl-mmio:0",
            "intel-rapl:10",
            "intel-rapl:9:1",
            "intel-rapl:9",
        ];
        zones.sort_by_key(|zone| key(zone));
        assert_eq!(
            zones,
            [
                "intel-rapl:9",
                "intel-rapl:9:1",
                "intel-rapl:10",
                "intel-rapl-mmio:0"
            ]
        );
    }
}
