//! `/sys/class/power_supply`: what a battery loses, a coarse last resort
//! (`Documentation/ABI/testing/sysfs-class-power`).
//!
//! A battery says something only while it discharges, about the whole machine
//! (screen and all), in steps of typically 10 mWh = 36 J.

use std::path::PathBuf;

use super::discovery::{Discovery, Unusable};
use super::file_source::{self, FileSource};
use super::plausible;
use super::sensor::{Found, Sensor, Surroundings};
use crate::host::remedy::{self, Asked};
use crate::host::{Cpus, SysRoot};
use crate::measurement::{Domain, Meter, MeterId, Provenance, Quantity, Scope, SourceKind};
use crate::unit::Nanos;

const CLASS: &str = "/sys/class/power_supply";

/// Microjoules per microwatt-hour: 3600 s.
const UJ_PER_UWH: f64 = 3_600.0;

/// Embedded controllers refresh their battery values every few seconds.
const UPDATE_PERIOD: Nanos = Nanos(10_000_000_000);

/// Batteries that discharge.
pub struct Battery;

impl Sensor for Battery {
    fn kind(&self) -> SourceKind {
        SourceKind::Battery
    }

    fn discover(&self, here: &mut Surroundings<'_>) -> Found {
        FileSource::found(discover(here.root, here.cpus), file_source::DENIED)
    }

    fn hint(&self) -> Option<&'static str> {
        Some(remedy::hint(Asked::Files))
    }
}

/// Finds the batteries below `root` that discharge now.
pub fn discover(root: &SysRoot, cpus: &Cpus) -> Discovery<PathBuf> {
    let absent = || Discovery::absent("there is no battery");
    let Ok(directory) = std::fs::read_dir(root.path(CLASS)) else {
        return absent();
    };
    let mut names: Vec<String> = directory
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let mut discovery = Discovery::default();
    for name in names {
        let text = |file: &str| root.read(format!("{CLASS}/{name}/{file}")).ok();
        let is = |file: &str, value: &str| text(file).is_some_and(|text| text.trim() == value);
        // A mouse's battery has the scope `Device`.
        if !is("type", "Battery") || is("scope", "Device") {
            continue;
        }
        let title = format!("battery/{name}");
        if !is("status", "Discharging") {
            let why = "it does not discharge: the machine runs on mains";
            discovery.unusable.push(Unusable::new(title, why));
            continue;
        }
        match quantity(&text) {
            Ok((file, quantity)) => {
                let id = u16::try_from(discovery.found.len()).unwrap_or(u16::MAX);
                let meter = Meter {
                    id: MeterId(id),
                    kind: SourceKind::Battery,
                    name: title,
                    domain: Domain::Psys,
                    scope: Scope::Machine,
                    cpus: cpus.in_scope(Scope::Machine),
                    quantity,
                    provenance: Provenance::Measured,
                    nested: false,
                    update_period: UPDATE_PERIOD,
                    plausible: plausible::guard(Domain::Psys, Scope::Machine, 1),
                };
                let path = root.path(format!("{CLASS}/{name}/{file}"));
                discovery.found.push((meter, path));
            }
            Err(why) => discovery.unusable.push(Unusable::new(title, why)),
        }
    }
    if discovery.found.is_empty() && discovery.unusable.is_empty() {
        return absent();
    }
    discovery
}

/// The best of what a battery offers: stored energy, stored charge times the
/// voltage of now (which falls by a few per cent over a whole discharge), or
/// momentary power.
fn quantity(
    text: &dyn Fn(&str) -> Option<String>,
) -> Result<(&'static str, Quantity), &'static str> {
    let number = |file: &str| -> Option<u64> {
        let text = text(file)?;
        text.trim().parse().ok()
    };
    if number("energy_now").is_some_and(|energy| energy > 0) {
        return Ok((
            "energy_now",
            Quantity::Falling {
                unit_uj: UJ_PER_UWH,
            },
        ));
    }
    if number("charge_now").is_some_and(|charge| charge > 0)
        && let Some(microvolts) = number("voltage_now").filter(|volts| *volts > 0)
    {
        // µAh × V = µWh.
        let unit_uj = UJ_PER_UWH * (microvolts as f64 / 1e6);
        return Ok(("charge_now", Quantity::Falling { unit_uj }));
    }
    if number("power_now").is_some_and(|power| power > 0) {
        return Ok(("power_now", Quantity::Power { unit_w: 1e-6 }));
    }
    Err("it gives neither energy, charge and voltage, nor power")
}
