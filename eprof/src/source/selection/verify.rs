//! Does a meter move? A domain that reads 0 or stands still is not usable.
//!
//! Kernels list counters that the hardware does not have (before 5.17 all
//! Intel domains on AMD, commit 0036fb00a756; reserved registers of some
//! Xeons read 0), and hypervisors pass none on. Believing those would report
//! 0 J. So every meter is read for a short while, under some load, before it
//! is believed.

use std::time::{Duration, Instant};

use crate::error::Result;
use crate::measurement::{Domain, Meter, Quantity, Scope};
use crate::source::Backend;
use crate::unit::{Nanos, Timestamp};

/// How long and how often meters are read before they are believed.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// A meter that has not moved after this time does not move. 200 ms let a
    /// platform counter in whole joules (Sapphire Rapids) move at 5 W.
    pub longest: Duration,
    /// Time between two reads, spent computing so that there is load.
    pub step: Duration,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            longest: Duration::from_millis(200),
            step: Duration::from_millis(5),
        }
    }
}

/// What the meters of a source read during the probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// When each round of reading ended.
    pub at: Vec<Timestamp>,
    /// Per meter, a value per round; `None` where it could not be read.
    pub values: Vec<Vec<Option<u64>>>,
}

/// Changes of value that are enough to believe a meter.
const ENOUGH: usize = 3;
/// Changes of value that are enough to tell two dies from one.
const ENOUGH_FOR_DIES: usize = 6;

/// A register that counts since power-on and still reads 0 after so much load
/// does not count: 20 updates are enough to know.
const SILENT: Duration = Duration::from_millis(20);

/// Reads all meters of `source` again and again, until each has moved often
/// enough or `probe.longest` has passed.
///
/// # Errors
/// Where the source disappears.
pub fn observe(source: &mut dyn Backend, probe: &Probe) -> Result<Series> {
    let meters = source.meters().to_vec();
    let mut series = Series {
        at: Vec::new(),
        values: vec![Vec::new(); meters.len()],
    };
    let start = Instant::now();
    loop {
        record(&mut series, source)?;
        let elapsed = start.elapsed();
        if elapsed >= probe.longest || enough(&meters, &series, elapsed >= SILENT) {
            return Ok(series);
        }
        let round = Instant::now();
        while round.elapsed() < probe.step {
            std::hint::spin_loop();
        }
    }
}

fn record(series: &mut Series, source: &mut dyn Backend) -> Result<()> {
    let readings = source.read()?;
    for row in &mut series.values {
        row.push(None);
    }
    for reading in readings {
        let row = series.values.get_mut(usize::from(reading.meter.0));
        if let Some(slot) = row.and_then(|row| row.last_mut()) {
            *slot = Some(reading.raw);
        }
    }
    series.at.push(crate::clock::now());
    Ok(())
}

/// How often a value differs from the one before it.
fn changes(values: &[Option<u64>]) -> usize {
    let seen: Vec<u64> = values.iter().copied().flatten().collect();
    seen.windows(2)
        .filter(|pair| pair.first() != pair.last())
        .count()
}

/// Whether every meter has shown what it is; `long` once one that reads 0 has
/// had its time.
fn enough(meters: &[Meter], series: &Series, long: bool) -> bool {
    meters.iter().zip(&series.values).all(|(meter, values)| {
        let needed = match meter.scope {
            Scope::Die { .. } => ENOUGH_FOR_DIES,
            Scope::Machine | Scope::Package(_) | Scope::Core { .. } => ENOUGH,
        };
        match meter.quantity {
            Quantity::Counter { .. } => {
                changes(values) >= needed
                    || vouched(meter, meters, series, needed)
                    || (long && values.iter().all(|value| *value == Some(0)))
            }
            Quantity::Falling { .. } => values.iter().any(Option::is_some),
            Quantity::Power { .. } => values.iter().flatten().any(|value| *value > 0),
            Quantity::Model { .. } => true,
        }
    })
}

/// Whether another core's counter of the same PMU moves: a core in deep sleep
/// uses next to nothing, so that its counter may stand still and be right.
fn vouched(meter: &Meter, meters: &[Meter], series: &Series, needed: usize) -> bool {
    let core = |meter: &Meter| matches!(meter.scope, Scope::Core { .. });
    core(meter)
        && meters.iter().zip(&series.values).any(|(other, values)| {
            core(other) && other.domain == meter.domain && changes(values) >= needed
        })
}

/// For each meter, nothing or why it is not believed.
pub fn judge(meters: &[Meter], series: &Series, hypervisor: bool) -> Vec<Result<(), String>> {
    let time = match (series.at.first(), series.at.last()) {
        (Some(first), Some(last)) => last.since(*first),
        _ => Nanos::ZERO,
    };
    let milliseconds = time.0 / 1_000_000;
    let one = |meter: &Meter, values: &Vec<Option<u64>>| -> Result<(), String> {
        if let Quantity::Model { .. } = meter.quantity {
            return Ok(());
        }
        let seen = || values.iter().copied().flatten();
        let Some(last) = seen().last() else {
            return Err("it could not be read".into());
        };
        let counts = match meter.quantity {
            Quantity::Counter { .. } => changes(values) > 0 || vouched(meter, meters, series, 1),
            Quantity::Falling { .. } | Quantity::Power { .. } => seen().any(|value| value > 0),
            Quantity::Model { .. } => true,
        };
        if counts {
            return Ok(());
        }
        let what = if last == 0 {
            format!("it reads 0 for {milliseconds} ms under load")
        } else {
            format!("it stands still at {last} for {milliseconds} ms under load")
        };
        let why = if hypervisor {
            ": this is a virtual machine, whose hypervisor does not pass the counter on"
        } else if meter.domain == Domain::Uncore {
            ": there is no graphics unit, or it sleeps"
        } else {
            ": this hardware does not count it"
        };
        Err(what + why)
    };
    meters
        .iter()
        .zip(&series.values)
        .map(|(meter, values)| one(meter, values))
        .collect()
}

/// The mean time between two changes of a meter's value where that is clearly
/// longer than the reads were apart: a register that is updated rarely, or
/// counts in large units. `None` where every read saw a change or too few were
/// seen.
pub fn observed_update_period(series: &Series, meter: usize) -> Option<Nanos> {
    let values = series.values.get(meter)?;
    let mut times = Vec::new();
    let mut last = None;
    for (value, at) in values.iter().zip(&series.at) {
        let Some(value) = value else { continue };
        if last.is_some_and(|last| last != *value) {
            times.push(*at);
        }
        last = Some(*value);
    }
    let span = times.last()?.since(*times.first()?);
    let mean = Nanos(span.0.checked_div(times.len() as u64 - 1)?);
    let rounds = series.at.len().checked_sub(1)? as u64;
    let step = series
        .at
        .last()?
        .since(*series.at.first()?)
        .0
        .checked_div(rounds)?;
    (times.len() >= ENOUGH && mean.0 > step.saturating_mul(3) / 2).then_some(mean)
}
