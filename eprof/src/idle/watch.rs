//! Idle power measured just before the run.
//!
//! The procedure follows the best of the field: windows, the median of their
//! powers, and the median absolute deviation as spread; and it refuses a
//! machine that was not idle, instead of calling its load a baseline.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::caveat::Caveat;
use crate::error::Result;
use crate::host::SysRoot;
use crate::host::load::CpuTimes;
use crate::measurement::{Baseline, Meter, MeterId, Quantity, Reading};
use crate::power::PowerModel;
use crate::source::EnergySource;
use crate::statistics::median_and_deviation;
use crate::timeline::mean_power;
use crate::unit::Watts;

/// Less observed time than this yields no idle power.
pub const SHORTEST: Duration = Duration::from_millis(500);

/// The CPUs may be this busy, as a part of all CPU time, and still be idle.
pub const BUSY_LIMIT: f64 = 0.10;

/// Time between two readings. At 1 ms update period, the phase between the
/// register and the reader then makes about 1 % of each window.
const WINDOW: Duration = Duration::from_millis(50);

/// Fewer windows than this yield no idle power.
pub(crate) const FEWEST: usize = 3;

/// What is known of the idle machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Idling {
    /// Idle power of the meters for which it is known.
    pub baselines: Vec<Baseline>,
    /// Saved power models of the meters.
    pub models: Vec<PowerModel>,
    /// Why it is not known for the others.
    pub caveats: Vec<Caveat>,
}

/// Watches `source` for `time` (at least [`SHORTEST`]) while nothing of the
/// target runs. Sleeps between the readings.
///
/// Models need no watching: theirs follows from their coefficients.
///
/// # Errors
/// Where the source disappears.
pub fn before_run(
    source: &mut (dyn EnergySource + Send),
    root: &SysRoot,
    time: Duration,
) -> Result<Idling> {
    let meters = source.meters().to_vec();
    let model = |meter: &Meter| matches!(meter.quantity, Quantity::Model { .. });
    if meters.iter().all(model) {
        return Ok(baselines(&meters, &[], None));
    }
    let before = CpuTimes::read(root);
    let start = Instant::now();
    let mut rounds = vec![source.read()?];
    while start.elapsed() < time.max(SHORTEST) {
        std::thread::sleep(WINDOW);
        rounds.push(source.read()?);
    }
    let busy = CpuTimes::read(root)
        .zip(before)
        .and_then(|(after, before)| after.busy_since(before));
    Ok(baselines(&meters, &rounds, busy))
}

/// Baselines from rounds of readings taken while the CPUs were busy for the
/// part `busy` of their time. Where that is unknown (`None`), so is whether
/// the machine was idle, and no meter gets a baseline.
pub fn baselines(meters: &[Meter], rounds: &[Vec<Reading>], busy: Option<f64>) -> Idling {
    let mut idling = Idling::default();
    let mut by_meter: BTreeMap<MeterId, Vec<Reading>> = BTreeMap::new();
    for reading in rounds.iter().flatten() {
        by_meter.entry(reading.meter).or_default().push(*reading);
    }
    let idle = busy.is_some_and(|busy| busy <= BUSY_LIMIT);
    let measured = |meter: &Meter| !matches!(meter.quantity, Quantity::Model { .. });
    let mut unknown = Vec::new();
    for meter in meters {
        if let Quantity::Model { .. } = meter.quantity {
            idling.baselines.extend(of_model(meter));
            continue;
        }
        if !idle {
            continue;
        }
        let readings = by_meter.get(&meter.id).map_or(&[][..], Vec::as_slice);
        match of_windows(meter, readings) {
            Some(baseline) => idling.baselines.push(baseline),
            None => unknown.push(meter.name.as_str()),
        }
    }
    if !idle && meters.iter().any(measured) {
        let why = match busy {
            Some(busy) => format!(
                "the CPUs were {:.0} % busy before the run (up to {:.0} % counts as idle)",
                busy * 100.0,
                BUSY_LIMIT * 100.0
            ),
            None => "the load of the CPUs before the run is unknown".to_owned(),
        };
        idling.caveats.push(
            Caveat::new("baseline-not-idle", format!("idle power is unknown: {why}"))
                .hint("give it with --idle-power, or start when the machine is idle"),
        );
    }
    if !unknown.is_empty() {
        idling.caveats.push(
            Caveat::new(
                "baseline-unknown",
                format!(
                    "idle power is unknown for {}: too few good readings before the run",
                    unknown.join(", ")
                ),
            )
            .hint("give it with --idle-power"),
        );
    }
    idling
}

/// A model's own idle power; its band (90 %) is 2 × 1.645 standard deviations.
fn of_model(meter: &Meter) -> Option<Baseline> {
    let Quantity::Model {
        idle_w, low, high, ..
    } = meter.quantity
    else {
        return None;
    };
    let power = idle_w * meter.cpus.len() as f64;
    Some(Baseline {
        meter: meter.id,
        power: Watts(power),
        sd: Watts(power * (high - low) / (2.0 * 1.645)),
        origin: "model".into(),
    })
}

/// The median of the windows' powers. The standard deviation is that of the
/// windows, not of the median: idle power wanders slowly, so that the mean of
/// the run differs from the mean before it by more than averaging suggests.
fn of_windows(meter: &Meter, readings: &[Reading]) -> Option<Baseline> {
    let first = readings.first()?;
    let last = readings.last()?;
    let powers: Vec<f64> = readings
        .windows(2)
        .filter_map(|pair| match pair {
            [before, after] => mean_power(meter, before, after),
            _ => None,
        })
        .map(|power| power.0)
        .collect();
    let observed = last.end.since(first.end).0 as f64;
    if observed < SHORTEST.as_nanos() as f64 * 0.9 || powers.len() < FEWEST {
        return None;
    }
    // One update may belong to either side of each end of the whole time, so
    // that nothing is known better than to one update.
    let update = meter.update_period.0 as f64 / observed;
    if update > 0.5 {
        return None;
    }
    // A register that is updated more rarely than it is read gives windows
    // without energy and windows with too much: only the whole is meaningful.
    let coarse = meter.update_period.0 as f64 > WINDOW.as_nanos() as f64 / 4.0;
    let (power, spread) = if coarse {
        (powers.iter().sum::<f64>() / powers.len() as f64, 0.0)
    } else {
        median_and_deviation(&powers)?
    };
    // A part of the processor that is switched off counts nothing, and that is an
    // answer: below one count in all this time. A sensor that says 0 W is none.
    let (least, may_be_zero) = match meter.quantity {
        Quantity::Counter { unit_uj, .. } => (unit_uj / 1e6 / (observed / 1e9), true),
        _ => (0.0, false),
    };
    let sd = spread.max(power * update).max(least);
    let known = power.is_finite() && (power > 0.0 || may_be_zero && power == 0.0);
    known.then(|| Baseline {
        meter: meter.id,
        power: Watts(power),
        sd: Watts(sd),
        origin: "before-run".into(),
    })
}
