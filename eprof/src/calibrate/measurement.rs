//! The measurement: meters and signals of all that runs, block by block.

use std::collections::BTreeMap;

use crate::caveat::Caveat;
use crate::error::Result;
use crate::kernel::Probe;
use crate::measurement::{
    Counter, CpuAccount, CpuGroup, IntervalAccounts, Meter, MeterId, Reading, Signals,
};
use crate::power::Signal;
use crate::source::EnergySource;
use crate::timeline::mean_power;

/// Meters and counters that are read block by block.
pub struct Measurement {
    source: Box<dyn EnergySource + Send>,
    meters: Vec<Meter>,
    /// `None`: idle power only.
    probe: Option<Probe>,
    /// The core type of each CPU.
    cores: BTreeMap<u32, String>,
    last: BTreeMap<MeterId, Reading>,
}

/// A span of time in which all was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// The readings at its end.
    pub readings: Vec<Reading>,
    /// Its length in seconds, as the kernel side has it; 0 without one.
    pub seconds: f64,
    /// Per meter, mean power in watts; `None` where it is unknown.
    pub watts: Vec<Option<f64>>,
    /// Per meter, what all its CPUs did together, by core type.
    pub signals: Vec<BTreeMap<String, Signals>>,
}

impl Measurement {
    /// A measurement that begins now.
    ///
    /// # Errors
    /// Where the meters or the kernel side fail.
    pub fn new(
        source: Box<dyn EnergySource + Send>,
        probe: Option<Probe>,
        cpu_groups: &[CpuGroup],
    ) -> Result<Self> {
        let mut measurement = Self {
            meters: source.meters().to_vec(),
            source,
            probe,
            cores: cpu_groups
                .iter()
                .flat_map(|group| group.cpus.iter().map(|cpu| (*cpu, group.core.clone())))
                .collect(),
            last: BTreeMap::new(),
        };
        if let Some(probe) = &mut measurement.probe {
            probe.start()?;
        }
        measurement.block()?;
        Ok(measurement)
    }

    /// The meters.
    pub fn meters(&self) -> &[Meter] {
        &self.meters
    }

    /// What is measured since the last call.
    ///
    /// # Errors
    /// Where the meters or the kernel side fail.
    pub fn block(&mut self) -> Result<Block> {
        // As the recorder does: the boundary follows the readings at once.
        let readings = self.source.read()?;
        let accounts = match &mut self.probe {
            Some(probe) => {
                let accounts = probe.close_interval()?;
                probe.drain(&mut |_| {});
                accounts
            }
            None => IntervalAccounts::default(),
        };
        let watts = |meter: &Meter| {
            let now = readings.iter().find(|reading| reading.meter == meter.id)?;
            mean_power(meter, self.last.get(&meter.id)?, now).map(|power| power.0)
        };
        let block = Block {
            seconds: accounts.end.since(accounts.begin).seconds(),
            watts: self.meters.iter().map(watts).collect(),
            signals: self
                .meters
                .iter()
                .map(|meter| self.signals(meter, &accounts.cpus))
                .collect(),
            readings,
        };
        // A meter that could not be read says nothing about two blocks.
        self.last = block.readings.iter().map(|one| (one.meter, *one)).collect();
        Ok(block)
    }

    fn signals(&self, meter: &Meter, cpus: &[CpuAccount]) -> BTreeMap<String, Signals> {
        let mut by_core: BTreeMap<String, Signals> = BTreeMap::new();
        for account in cpus {
            if meter.cpus.binary_search(&account.cpu).is_err() {
                continue;
            }
            let core = self.cores.get(&account.cpu).cloned().unwrap_or_default();
            let sum = by_core.entry(core).or_default();
            *sum += account.all();
        }
        by_core
    }

    /// What makes the signals less true.
    pub fn caveats(&mut self) -> Vec<Caveat> {
        self.probe.as_mut().map_or_else(Vec::new, Probe::caveats)
    }

    /// All signals that can be measured here: time of each type of core, time
    /// beside a busy sibling, and the counters that there are and that counted
    /// all the time. Reference cycles are time in another unit.
    pub fn signal_names(&mut self) -> Vec<Signal> {
        let mut cores: Vec<String> = self.cores.values().cloned().collect();
        cores.sort();
        cores.dedup();
        if cores.is_empty() {
            cores.push(String::new());
        }
        let time = cores.into_iter().map(Signal::Time);
        let (counters, distrusted) = match &mut self.probe {
            Some(probe) => (probe.counters(), probe.distrusted()),
            None => (Vec::new(), Vec::new()),
        };
        let sound = |counter: &Counter| {
            *counter != Counter::ReferenceCycles && !distrusted.contains(counter)
        };
        let counters = counters.into_iter().filter(sound).map(Signal::from);
        time.chain([Signal::SMT_SHARED]).chain(counters).collect()
    }
}

impl Block {
    /// The rate of `signal` at the meter in position `meter`, per second.
    pub fn rate(&self, meter: usize, signal: &Signal) -> f64 {
        let by_core = self.signals.get(meter).into_iter().flatten();
        let sum: u64 = by_core
            .map(|(core, signals)| signal.of(signals, core))
            .sum();
        if self.seconds > 0.0 {
            sum as f64 / self.seconds
        } else {
            0.0
        }
    }
}
