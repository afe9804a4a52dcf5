//! `/sys/class/hwmon`: energy and power sensors of drivers whose meaning is
//! known (`Documentation/hwmon/sysfs-interface.rst`).
//!
//! Conservative: a sensor is a meter only where the driver, or a label that
//! leaves no doubt, says what it measures. A board is full of rails.

use std::path::PathBuf;

use super::discovery::{Discovery, Unusable};
use super::file_source::{self, FileSource};
use super::plausible;
use super::sensor::{Found, Sensor, Surroundings};
use crate::host::remedy::{self, Asked};
use crate::host::{Cpus, SysRoot};
use crate::measurement::{Domain, Meter, MeterId, Provenance, Quantity, Scope, SourceKind};
use crate::unit::Nanos;

const CLASS: &str = "/sys/class/hwmon";

/// Inputs of hwmon drivers whose meaning is known.
pub struct Hwmon;

impl Sensor for Hwmon {
    fn kind(&self) -> SourceKind {
        SourceKind::Hwmon
    }

    fn discover(&self, here: &mut Surroundings<'_>) -> Found {
        FileSource::found(discover(here.root, here.cpus), file_source::DENIED)
    }

    fn hint(&self) -> Option<&'static str> {
        Some(remedy::hint(Asked::Files))
    }
}

/// Finds all sensors with a known meaning below `root`.
pub fn discover(root: &SysRoot, cpus: &Cpus) -> Discovery<PathBuf> {
    let Ok(directory) = std::fs::read_dir(root.path(CLASS)) else {
        return Discovery::absent(format!("there is no {CLASS}"));
    };
    let mut chips: Vec<String> = directory
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    chips.sort_by_key(|chip| (chip.len(), chip.clone()));

    let mut discovery = Discovery::default();
    for chip in chips {
        let base = format!("{CLASS}/{chip}");
        let Ok(driver) = root.read(format!("{base}/name")) else {
            continue;
        };
        for input in inputs(root, &base) {
            add(root, cpus, &base, driver.trim(), &input, &mut discovery);
        }
    }
    if discovery.found.is_empty() && discovery.unusable.is_empty() {
        discovery.absent = Some("no hwmon driver offers energy or power".into());
    }
    discovery
}

/// One input of a chip.
#[derive(Debug, PartialEq)]
struct Input {
    /// `energy1_input`, `power1_average`, ….
    file: String,
    /// The number in the file's name.
    number: u32,
    energy: bool,
}

/// The inputs of a chip: `energyN_input`; of the files of `powerN` the
/// average where there is one, else the momentary value.
fn inputs(root: &SysRoot, base: &str) -> Vec<Input> {
    let Ok(directory) = std::fs::read_dir(root.path(base)) else {
        return Vec::new();
    };
    let files: std::collections::BTreeSet<String> = directory
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let mut inputs: Vec<Input> = files
        .iter()
        .filter_map(|file| {
            let (item, kind) = file.split_once('_')?;
            let energy = item.strip_prefix("energy");
            let number = energy
                .or_else(|| item.strip_prefix("power"))?
                .parse()
                .ok()?;
            let wanted = match (energy.is_some(), kind) {
                (_, "average") if energy.is_none() => true,
                (true, "input") => true,
                (false, "input") => !files.contains(&format!("{item}_average")),
                _ => false,
            };
            wanted.then(|| Input {
                file: file.clone(),
                number,
                energy: energy.is_some(),
            })
        })
        .collect();
    inputs.sort_by_key(|input| (!input.energy, input.number));
    inputs
}

fn add(
    root: &SysRoot,
    cpus: &Cpus,
    base: &str,
    driver: &str,
    input: &Input,
    discovery: &mut Discovery<PathBuf>,
) {
    let item = if input.energy { "energy" } else { "power" };
    let label = ["label", "oem_info"]
        .iter()
        .find_map(|suffix| {
            root.read(format!("{base}/{item}{}_{suffix}", input.number))
                .ok()
        })
        .unwrap_or_default();
    let label = label.trim();
    let title = if label.is_empty() { &input.file } else { label };
    let clean =
        |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(60).collect() };
    let name = format!("hwmon/{}/{}", clean(driver), clean(title));
    let (domain, scope) = match meaning(driver, label, cpus) {
        Ok(known) => known,
        Err(why) => {
            discovery.unusable.push(Unusable::new(name, why));
            return;
        }
    };
    let averaged = input.file.ends_with("_average");
    let milliseconds = |file: String| -> Option<u64> { root.read(file).ok()?.trim().parse().ok() };
    let update_period = if input.energy {
        Nanos(1_000_000)
    } else {
        let interval = averaged
            .then(|| milliseconds(format!("{base}/power{}_average_interval", input.number)))
            .flatten()
            .or_else(|| milliseconds(format!("{base}/update_interval")))
            .unwrap_or(if averaged { 1_000 } else { 100 });
        Nanos(interval.clamp(1, 60_000) * 1_000_000)
    };
    let meter = Meter {
        id: MeterId(u16::try_from(discovery.found.len()).unwrap_or(u16::MAX)),
        kind: SourceKind::Hwmon,
        name,
        domain,
        scope,
        cpus: cpus.in_scope(scope),
        quantity: if input.energy {
            Quantity::Counter {
                unit_uj: 1.0,
                modulus: None,
            }
        } else {
            Quantity::Power { unit_w: 1e-6 }
        },
        provenance: Provenance::Measured,
        nested: false,
        update_period,
        plausible: plausible::guard(domain, scope, cpus.packages().len()),
    };
    let path = root.path(format!("{base}/{}", input.file));
    discovery.found.push((meter, path));
}

/// What a sensor measures, by driver and label; else why that is not known.
fn meaning(driver: &str, label: &str, cpus: &Cpus) -> Result<(Domain, Scope), String> {
    let words = label.to_ascii_lowercase();
    let package = |domain: Domain| -> Result<(Domain, Scope), String> {
        let packages = cpus.packages();
        match (trailing_number(label), packages.as_slice()) {
            (_, [only]) => Ok((domain, Scope::Package(*only))),
            (Some(number), several) if several.contains(&number) => {
                Ok((domain, Scope::Package(number)))
            }
            _ => Err("it does not say which of several packages it measures".into()),
        }
    };
    match driver {
        // Documentation/hwmon/amd_energy.rst: `EcoreNNN`, `EsocketN`.
        "amd_energy" if words.starts_with("esocket") => package(Domain::Package),
        "amd_energy" => Err(
            "per-core energies of this driver are not used: the socket's contain \
                             them"
                .into(),
        ),
        // Documentation/hwmon/fam15h_power.rst: the processor's power.
        "fam15h_power" => package(Domain::Package),
        // The out-of-tree driver for Zen: supply currents of two rails.
        "zenpower" if words.contains("p_core") => package(Domain::Core),
        "zenpower" if words.contains("p_soc") => package(Domain::Uncore),
        // Documentation/hwmon/xgene-hwmon.rst.
        "apm_xgene" | "xgene_hwmon" if words == "cpu power" => package(Domain::Package),
        // NVIDIA Grace names its ACPI power meters; others measure the system.
        "power_meter" if words.starts_with("grace power socket") => package(Domain::Package),
        "power_meter" if words.starts_with("cpu power socket") => package(Domain::Core),
        "power_meter" if words.is_empty() => Ok((Domain::Psys, Scope::Machine)),
        // A power supply with a meter of its own output.
        "corsairpsu" if words == "power total" => Ok((Domain::Psys, Scope::Machine)),
        // Apple silicon.
        "macsmc_hwmon" if words.contains("total system power") => {
            Ok((Domain::Psys, Scope::Machine))
        }
        "amdgpu" | "radeon" | "nouveau" | "i915" | "xe" => {
            Err("it measures a graphics processor, not the CPU".into())
        }
        _ if driver.starts_with("BAT") || driver.starts_with("ucsi") => {
            Err("a battery or charger is read through the battery source".into())
        }
        // Board sensors whose label was written by whoever knows the board.
        "scmi_sensors" | "scmi_hwmon" | "ina2xx" | "ina209" | "ina219" | "ina220" | "ina226"
        | "ina230" | "ina231" | "ina233" | "ina238" | "ina260" | "ina3221" => by_label(&words)
            .map(|domain| (domain, Scope::Machine))
            .ok_or_else(|| {
                if label.is_empty() {
                    "it has no label that says what it measures".into()
                } else {
                    "its label does not say clearly what it measures".into()
                }
            }),
        _ => Err("eprof does not know what this driver measures".into()),
    }
}

/// The domain that a board's label names without doubt.
fn by_label(words: &str) -> Option<Domain> {
    let has = |list: &[&str]| {
        words
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| list.contains(&word))
    };
    if has(&["gpu", "npu", "usb", "wifi", "fan"]) {
        None
    } else if has(&["cpu", "soc", "pkg", "package"]) {
        Some(Domain::Package)
    } else if has(&["dram", "ddr", "mem", "memory"]) {
        Some(Domain::Dram)
    } else if has(&["sys", "system", "board", "total", "vin"]) {
        Some(Domain::Psys)
    } else {
        None
    }
}

fn trailing_number(label: &str) -> Option<u32> {
    let digits = label
        .trim_end()
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Cpu;

    fn packages(n: u32) -> Cpus {
        Cpus {
            online: (0..n)
                .map(|cpu| Cpu {
                    cpu,
                    package: cpu,
                    die: 0,
                    core: 0,
                    kind: None,
                })
                .collect(),
        }
    }

    #[test]
    fn known_drivers_have_a_meaning() {
        let two = packages(2);
        assert_eq!(
            meaning("amd_energy", "Esocket1", &two),
            Ok((Domain::Package, Scope::Package(1)))
        );
        assert!(meaning("amd_energy", "Ecore000", &two).is_err());
        assert!(meaning("zenpower", "SVI2_P_Core", &two).is_err());
        assert_eq!(
            meaning("zenpower", "SVI2_P_Core", &packages(1)),
            Ok((Domain::Core, Scope::Package(0)))
        );
        assert_eq!(
            meaning("power_meter", "Grace Power Socket 1", &two),
            Ok((Domain::Package, Scope::Package(1)))
        );
    }

    #[test]
    fn a_rail_without_a_clear_name_is_not_a_meter() {
        for label in ["", "VDD_3V3", "gpu system", "rail5"] {
            assert!(meaning("ina2xx", label, &packages(1)).is_err(), "{label}");
        }
        assert!(meaning("amdgpu", "PPT", &packages(1)).is_err());
        assert!(meaning("nvme", "cpu", &packages(1)).is_err());
    }
}
