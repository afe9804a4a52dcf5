//! No meter: package power is estimated from CPU time.
//!
//! Per logical CPU, power is taken to be linear between an idle and a busy
//! value that depend on the microarchitecture. The values are those of Cloud
//! Carbon Footprint's coefficients
//! (<https://github.com/cloud-carbon-footprint/cloud-carbon-coefficients>,
//! `output/coefficients-{aws,azure}-use.csv`, Apache License 2.0), which are
//! medians of SPECpower_ssj2008 results divided by the number of hardware
//! threads: power at the wall of whole servers, tuned for that benchmark.
//!
//! What the estimate does not know: other tenants of the host, turbo, the SMT
//! sibling, steal, accelerators, what the instructions are. Hence the bands:
//! fitted SPECpower models hold out with 90 % of true values within
//! ×0.72–1.41; a known microarchitecture is given ×0.65–1.5, an unknown one
//! ×0.45–2.2. Shares between the threads of one run do not depend on them.

use super::sensor::{Found, Sensor, Surroundings};
use crate::calibration::file::Calibration;
use crate::error::Result;
use crate::host::{Cpus, Processor};
use crate::measurement::{
    Domain, Meter, MeterId, Provenance, Quantity, Reading, Scope, SourceKind,
};
use crate::source::{Backend, EnergySource};
use crate::unit::{Nanos, Watts};

/// The estimate as a sensor: it is found everywhere.
pub struct Estimate;

impl Sensor for Estimate {
    fn kind(&self) -> SourceKind {
        SourceKind::Model
    }

    fn discover(&self, here: &mut Surroundings<'_>) -> Found {
        Found {
            source: Box::new(ModelSource::new(
                here.processor,
                here.cpus,
                here.calibration,
            )),
            unusable: Vec::new(),
            absent: None,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        None
    }
}

/// Idle and busy watts per logical CPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// The microarchitecture, or `generic`.
    pub name: &'static str,
    /// Watts of one logical CPU that is idle.
    pub idle_w: f64,
    /// Watts of one logical CPU that is busy.
    pub busy_w: f64,
    /// The true value is at least this many times the estimate (90 %).
    pub low: f64,
    /// The true value is at most this many times the estimate (90 %).
    pub high: f64,
}

const fn known(name: &'static str, idle_w: f64, busy_w: f64) -> Coefficients {
    Coefficients {
        name,
        idle_w,
        busy_w,
        low: 0.65,
        high: 1.5,
    }
}

/// Medians per thread of SPECpower results of 2018 and later, for processors
/// without a row of their own.
pub const GENERIC: Coefficients = Coefficients {
    name: "generic",
    idle_w: 0.55,
    busy_w: 3.7,
    low: 0.45,
    high: 2.2,
};

const SANDY_BRIDGE: Coefficients = known("sandy-bridge", 2.1694, 8.5754);
const IVY_BRIDGE: Coefficients = known("ivy-bridge", 3.0369, 8.2486);
const HASWELL: Coefficients = known("haswell", 1.9006, 6.0129);
const BROADWELL: Coefficients = known("broadwell", 0.7128, 3.6853);
const SKYLAKE: Coefficients = known("skylake", 0.6446, 4.1934);
const CASCADE_LAKE: Coefficients = known("cascade-lake", 0.6389, 3.9673);
const COFFEE_LAKE: Coefficients = known("coffee-lake", 1.1384, 5.4218);
const EPYC_1: Coefficients = known("epyc-1", 0.8227, 2.5531);
const EPYC_2: Coefficients = known("epyc-2", 0.4743, 1.6930);
const EPYC_3: Coefficients = known("epyc-3", 0.4454, 2.0193);
const GRAVITON_2: Coefficients = known("graviton-2", 0.4743, 1.6930);

/// The coefficients for a processor. Only server parts are known (the data
/// are of servers; Coffee Lake is the small Xeon E).
///
/// Intel models after `arch/x86/include/asm/intel-family.h`, AMD families and
/// models after `arch/x86/kernel/cpu/amd.c`.
pub fn coefficients(processor: &Processor) -> Coefficients {
    let model = processor.model.unwrap_or(u32::MAX);
    match (processor.vendor.as_str(), processor.family) {
        ("GenuineIntel", Some(6)) => match model {
            0x2d => SANDY_BRIDGE,
            0x3e => IVY_BRIDGE,
            0x3f => HASWELL,
            0x4f | 0x56 => BROADWELL,
            // One model number; the stepping tells (5 to 7 Cascade Lake,
            // 10 and above Cooper Lake).
            0x55 => match processor.stepping {
                Some(5..=7) => CASCADE_LAKE,
                Some(8..) => GENERIC,
                _ => SKYLAKE,
            },
            0x9e => COFFEE_LAKE,
            _ => GENERIC,
        },
        ("AuthenticAMD", Some(0x17)) => match model {
            0x01 => EPYC_1,
            0x30..=0x3f => EPYC_2,
            _ => GENERIC,
        },
        ("AuthenticAMD", Some(0x19)) => match model {
            0x00..=0x0f => EPYC_3,
            _ => GENERIC,
        },
        // ARM Ltd., Neoverse N1.
        ("0x41", _) if model == 0xd0c => GRAVITON_2,
        _ => GENERIC,
    }
}

/// What a calibration of the same processor says (one that was measured where
/// there was a meter: the bare metal below a virtual machine); `None` where it
/// is of another one, or of an unknown one.
///
/// The band is that of power predicted by CPU time alone, as found in the
/// calibration when whole workloads were left out; never narrower than ±15 %,
/// for nothing is known of the other tenants.
pub fn calibrated(processor: &Processor, calibration: &Calibration) -> Option<Coefficients> {
    let there = &calibration.machine.as_ref()?.cpu;
    if there.is_empty() || *there != processor.name {
        return None;
    }
    let packages = calibration.meters.values();
    packages
        .filter(|saved| saved.domain == Some(Domain::Package))
        .find_map(|saved| {
            let busy = saved.model.as_ref()?.busy_cpu?;
            let idle_w = saved.watts / saved.cpus.filter(|cpus| *cpus > 0)? as f64;
            let half = (1.645 * busy.residual).clamp(0.15, 0.55);
            Some(Coefficients {
                name: "calibration",
                idle_w,
                busy_w: idle_w + busy.watts,
                low: 1.0 - half,
                high: 1.0 + half,
            })
        })
}

/// The one meter of the model.
pub fn meter(processor: &Processor, cpus: &Cpus, saved: Option<&Calibration>) -> Meter {
    let found = saved
        .and_then(|saved| calibrated(processor, saved))
        .unwrap_or_else(|| coefficients(processor));
    let numbers = cpus.numbers();
    let busiest = found.busy_w * numbers.len() as f64 * found.high;
    Meter {
        id: MeterId(0),
        kind: SourceKind::Model,
        name: format!("model/{}", found.name),
        domain: Domain::Package,
        scope: Scope::Machine,
        cpus: numbers,
        quantity: Quantity::Model {
            idle_w: found.idle_w,
            busy_w: found.busy_w,
            low: found.low,
            high: found.high,
        },
        provenance: Provenance::Estimated,
        nested: false,
        update_period: Nanos::ZERO,
        plausible: Watts(busiest),
    }
}

/// The model as a source: it has a meter, and never a reading. Its energy
/// follows from the recorded CPU time.
#[derive(Debug)]
pub struct ModelSource {
    meters: Vec<Meter>,
}

impl ModelSource {
    /// The model for this processor, after `saved` where that is of one.
    pub fn new(processor: &Processor, cpus: &Cpus, saved: Option<&Calibration>) -> Self {
        Self {
            meters: vec![meter(processor, cpus, saved)],
        }
    }
}

impl EnergySource for ModelSource {
    fn meters(&self) -> &[Meter] {
        &self.meters
    }

    fn read(&mut self) -> Result<Vec<Reading>> {
        Ok(Vec::new())
    }
}

impl Backend for ModelSource {
    fn keep(&mut self, meters: Vec<Option<Meter>>) {
        self.meters = meters.into_iter().flatten().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intel(model: u32, stepping: u32) -> Processor {
        Processor {
            vendor: "GenuineIntel".into(),
            family: Some(6),
            model: Some(model),
            stepping: Some(stepping),
            ..Processor::default()
        }
    }

    #[test]
    fn the_stepping_tells_skylake_from_cascade_lake() {
        assert_eq!(coefficients(&intel(85, 4)).name, "skylake");
        assert_eq!(coefficients(&intel(85, 7)).name, "cascade-lake");
        assert_eq!(coefficients(&intel(85, 11)).name, "generic");
    }

    #[test]
    fn a_calibration_of_the_same_processor_goes_before_the_table() {
        let text = r#"{"schema":"eprof-calibration/2",
            "machine":{"cpu":"Some CPU","kernel":"6.1","eprof":"0.1.0","date":"2026-01-31"},
            "meters":{"intel-rapl:0":{"domain":"package","cpus":4,"watts":8.0,"sd":0.1,
                "model":{"terms":[{"signal":"time","weight":3e-9}],"intercept":8.0,
                    "covariance":[1e-20],"residual":0.1,
                    "held_out":{"mae":1,"rmse":1,"mape":0.1,"r2":0.9},
                    "time_share":{"mae":1,"rmse":1,"mape":0.1,"r2":0.9},
                    "held_out_by":"workload","rows":300,
                    "busy_cpu":{"watts":3.0,"residual":0.2}}}}}"#;
        let Ok(calibration) = serde_json::from_str::<Calibration>(text) else {
            unreachable!("the text above is a calibration");
        };
        let mut processor = intel(207, 2);
        processor.name = "Some CPU".into();
        let found = calibrated(&processor, &calibration);
        let watts = found.map(|found| (found.idle_w, found.busy_w));
        assert_eq!(watts, Some((2.0, 5.0)));
        assert!(found.is_some_and(|found| found.low < 0.7 && found.high > 1.3));
        processor.name = "Another CPU".into();
        assert_eq!(calibrated(&processor, &calibration), None);
    }

    #[test]
    fn an_unknown_processor_has_the_wide_band() {
        for processor in [Processor::default(), intel(207, 2)] {
            let found = coefficients(&processor);
            assert_eq!(found.name, "generic");
            assert!(found.low < 0.5 && found.high > 2.0);
        }
    }
}
