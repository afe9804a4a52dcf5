//! The kernel's `power` and `power_core` perf PMUs: discovery, from sysfs only
//! (`arch/x86/events/rapl.c`,
//! `Documentation/ABI/testing/sysfs-bus-event_source-devices-events`).

use std::collections::BTreeSet;

use super::discovery::{Discovery, Unusable};
use super::perf_event::PowerEvent;
use super::perf_source::PerfSource;
use super::plausible;
use super::powercap::RAPL_UPDATE_PERIOD;
use super::sensor::{Found, Sensor, Surroundings};
use crate::host::remedy::{self, Asked};
use crate::host::{Cpu, Cpus, SysRoot, cpulist};
use crate::measurement::{Domain, Meter, MeterId, Provenance, Quantity, Scope, SourceKind};

/// Where PMUs are listed.
pub const DEVICES: &str = "/sys/bus/event_source/devices";

/// The PMUs that count energy: per package or die, and per core (AMD).
pub const PMUS: [&str; 2] = ["power", "power_core"];

/// Energy events of the `power` PMUs.
pub struct PerfPower;

impl Sensor for PerfPower {
    fn kind(&self) -> SourceKind {
        SourceKind::Perf
    }

    fn discover(&self, here: &mut Surroundings<'_>) -> Found {
        PerfSource::found(discover(here.root, here.cpus), here.opener)
    }

    fn hint(&self) -> Option<&'static str> {
        Some(remedy::hint(Asked::Events))
    }
}

/// Finds all energy events below `root`, one meter per event and CPU of the
/// PMU's cpumask.
pub fn discover(root: &SysRoot, cpus: &Cpus) -> Discovery<PowerEvent> {
    let mut discovery = Discovery::default();
    for pmu in PMUS {
        if root.path(format!("{DEVICES}/{pmu}")).is_dir()
            && let Err(why) = add_pmu(root, cpus, pmu, &mut discovery)
        {
            discovery
                .unusable
                .push(Unusable::new(format!("{pmu}/"), why));
        }
    }
    if discovery.found.is_empty() && discovery.unusable.is_empty() {
        discovery.absent =
            Some("the kernel has no `power` PMU (no RAPL, or no driver for it)".into());
    }
    discovery
}

fn add_pmu(
    root: &SysRoot,
    cpus: &Cpus,
    pmu: &str,
    discovery: &mut Discovery<PowerEvent>,
) -> Result<(), String> {
    let base = format!("{DEVICES}/{pmu}");
    let text = |file: &str| {
        root.read(format!("{base}/{file}"))
            .map_err(|error| format!("its `{file}` cannot be read: {error}"))
    };
    let pmu_type: u32 = text("type")?
        .trim()
        .parse()
        .map_err(|_| "its `type` is not a number")?;
    // The mask names one CPU per die, package or core: the only ones on which
    // the kernel lets the event be opened, and never assumed to be CPU 0.
    let mask = cpulist::parse(&text("cpumask")?)
        .filter(|mask| !mask.is_empty())
        .ok_or("its `cpumask` is not a list of CPUs")?;
    for event in event_names(root, &base)? {
        match event_domain(&event).ok_or_else(|| "eprof does not know this event".to_owned()) {
            Ok(domain) => {
                let parsed = scale(root, &base, &event)
                    .and_then(|scale| Ok((scale, config(root, &base, &event)?)));
                match parsed {
                    Ok((unit_uj, config)) => {
                        let common = Common {
                            pmu,
                            event: &event,
                            domain,
                            unit_uj,
                        };
                        for &cpu in &mask {
                            let at = PowerEvent {
                                pmu_type,
                                config,
                                cpu,
                            };
                            add_meter(cpus, &mask, &common, at, discovery);
                        }
                    }
                    Err(why) => discovery
                        .unusable
                        .push(Unusable::new(format!("{pmu}/{event}/"), why)),
                }
            }
            Err(why) => discovery
                .unusable
                .push(Unusable::new(format!("{pmu}/{event}/"), why)),
        }
    }
    Ok(())
}

struct Common<'a> {
    pmu: &'a str,
    event: &'a str,
    domain: Domain,
    unit_uj: f64,
}

fn add_meter(
    cpus: &Cpus,
    mask: &[u32],
    common: &Common<'_>,
    at: PowerEvent,
    discovery: &mut Discovery<PowerEvent>,
) {
    let base = format!("{}/{}/", common.pmu, common.event);
    let Some(cpu) = cpus.get(at.cpu) else {
        let why = format!("CPU {} of its cpumask is not online", at.cpu);
        discovery.unusable.push(Unusable::new(base, why));
        return;
    };
    let scope = scope(cpus, mask, common, cpu);
    let name = if mask.len() == 1 {
        base
    } else {
        format!("{base}{}", perf_suffix(scope, cpu))
    };
    let id = u16::try_from(discovery.found.len()).unwrap_or(u16::MAX);
    let meter = Meter {
        id: MeterId(id),
        kind: SourceKind::Perf,
        name,
        domain: common.domain,
        scope,
        cpus: cpus.in_scope(scope),
        quantity: Quantity::Counter {
            unit_uj: common.unit_uj,
            // The driver extends the 32-bit register to 64 bits.
            modulus: None,
        },
        provenance: Provenance::Measured,
        nested: false,
        update_period: RAPL_UPDATE_PERIOD,
        plausible: plausible::guard(common.domain, scope, cpus.packages().len()),
    };
    discovery.found.push((meter, at));
}

/// What a meter opened on `cpu` answers for: its core for `power_core`; else
/// its package where the mask has one CPU there, its die where it has several.
fn scope(cpus: &Cpus, mask: &[u32], common: &Common<'_>, cpu: &Cpu) -> Scope {
    if common.pmu == "power_core" {
        return Scope::Core {
            package: cpu.package,
            core: cpu.core,
        };
    }
    if common.domain == Domain::Psys && cpus.packages().len() == 1 {
        return Scope::Machine;
    }
    let dies: BTreeSet<u32> = mask
        .iter()
        .filter_map(|&other| cpus.get(other))
        .filter(|other| other.package == cpu.package)
        .map(|other| other.die)
        .collect();
    if dies.len() > 1 {
        Scope::Die {
            package: cpu.package,
            die: cpu.die,
        }
    } else {
        Scope::Package(cpu.package)
    }
}

/// The scope in `perf stat`'s notation: `S1`, `S0-D1`, `S0-C3`.
fn perf_suffix(scope: Scope, cpu: &Cpu) -> String {
    match scope {
        Scope::Machine | Scope::Package(_) => format!("S{}", cpu.package),
        Scope::Die { package, die } => format!("S{package}-D{die}"),
        Scope::Core { package, core } => format!("S{package}-C{core}"),
    }
}

fn event_names(root: &SysRoot, base: &str) -> Result<Vec<String>, String> {
    let directory = std::fs::read_dir(root.path(format!("{base}/events")))
        .map_err(|error| format!("its events cannot be listed: {error}"))?;
    let mut names: Vec<String> = directory
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.contains('.'))
        .collect();
    names.sort_by_key(|name| (event_domain(name), name.clone()));
    Ok(names)
}

/// The domain of an event by the names of `arch/x86/events/rapl.c`.
fn event_domain(event: &str) -> Option<Domain> {
    Some(match event {
        "energy-pkg" => Domain::Package,
        "energy-cores" | "energy-core" => Domain::Core,
        "energy-gpu" => Domain::Uncore,
        "energy-ram" => Domain::Dram,
        "energy-psys" => Domain::Psys,
        _ => return None,
    })
}

/// Microjoules per count, from the event's `.scale` and `.unit`.
fn scale(root: &SysRoot, base: &str, event: &str) -> Result<f64, String> {
    let text = |suffix: &str| {
        root.read(format!("{base}/events/{event}.{suffix}"))
            .map_err(|error| format!("its `.{suffix}` cannot be read: {error}"))
    };
    let unit = text("unit")?;
    if !unit.trim().eq_ignore_ascii_case("joules") {
        return Err("its unit is not joules".into());
    }
    text("scale")?
        .trim()
        .parse()
        .ok()
        .filter(|scale: &f64| scale.is_finite() && *scale > 0.0 && *scale < 1e6)
        .map(|scale| scale * 1e6)
        .ok_or_else(|| "its scale is not a positive number".into())
}

/// The event's `config`: its terms, put where the PMU's `format` says.
fn config(root: &SysRoot, base: &str, event: &str) -> Result<u64, String> {
    let terms = root
        .read(format!("{base}/events/{event}"))
        .map_err(|error| format!("it cannot be read: {error}"))?;
    let mut config = 0;
    for term in terms.trim().split(',') {
        let (name, value) = term.split_once('=').unwrap_or((term, "1"));
        let value = number(value).ok_or("its definition is not understood")?;
        if name.is_empty() || name.contains('/') || name.contains('.') {
            return Err("its definition is not understood".into());
        }
        let format = root
            .read(format!("{base}/format/{name}"))
            .map_err(|error| format!("the format of `{name}` cannot be read: {error}"))?;
        config |= put(format.trim(), value).ok_or("the format of its terms is not understood")?;
    }
    Ok(config)
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `value` in the bits that `format` names, e.g. `config:0-7`; `None` where it
/// does not fit or is not understood.
fn put(format: &str, value: u64) -> Option<u64> {
    let bits = format.strip_prefix("config:")?;
    let (low, high) = bits.split_once('-').unwrap_or((bits, bits));
    let (low, high): (u32, u32) = (low.parse().ok()?, high.parse().ok()?);
    if low > high || high > 63 {
        return None;
    }
    let width = high - low + 1;
    let fits = width == 64 || value < 1 << width;
    fits.then(|| value << low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_go_where_the_format_says() {
        assert_eq!(put("config:0-7", 2), Some(2));
        assert_eq!(put("config:8-15", 2), Some(0x200));
        assert_eq!(put("config:63", 1), Some(1 << 63));
        assert_eq!(put("config:0-63", u64::MAX), Some(u64::MAX));
        for bad in [
            "config:0-7",
            "config:0-64",
            "config:9-8",
            "config1:0-7",
            "x",
        ] {
            assert_eq!(put(bad, 256), None, "{bad}");
        }
    }
}
