//! The signals that a recording has, as columns of numbers.

use crate::measurement::{CpuGroupId, Event, Signals};
use crate::power::Signal;
use crate::recording::Header;

/// Most signals that are kept apart: hybrid processors have two or three
/// types of cores, and there are seven signals besides.
pub(super) const WIDTH: usize = 12;

/// What was measured of a consumer, by column.
pub(super) type Row = [f64; WIDTH];

/// Which column holds what.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// First the times by core type.
    signals: Vec<Signal>,
    /// The core types.
    cores: Vec<String>,
    /// Position of the core type, by CPU group and by CPU.
    of_group: Vec<Option<usize>>,
    of_cpu: Vec<Option<usize>>,
}

impl Columns {
    /// The columns of the recording that starts with `header`: time by core
    /// type, time beside a busy sibling, the counters, wakeups, migrations.
    pub(super) fn of(header: &Header) -> Self {
        let mut cores: Vec<&str> = header
            .cpu_groups
            .iter()
            .map(|group| group.core.as_str())
            .collect();
        cores.sort_unstable();
        cores.dedup();
        // More types than columns share the last one: they differ least.
        let most = Event::ALL.into_iter().filter(|of| Signal::may_cost(*of));
        cores.truncate(WIDTH - most.count());
        let last = cores.len().saturating_sub(1);
        let known = |core: &String| {
            cores
                .iter()
                .position(|of| *of == core.as_str())
                .unwrap_or(last)
        };
        let times = cores.iter().map(|core| Signal::Time((*core).to_owned()));
        let events = header.events.iter().copied();
        let costly = events.filter(|event| Signal::may_cost(*event));
        let groups = || header.cpu_groups.iter();
        Self {
            signals: times.chain(costly.map(Signal::Event)).take(WIDTH).collect(),
            cores: cores.iter().map(|core| (*core).to_owned()).collect(),
            of_group: by_number(groups().map(|group| (group.id.0.into(), known(&group.core)))),
            of_cpu: by_number(groups().flat_map(|group| {
                let core = known(&group.core);
                group.cpus.iter().map(move |&cpu| (cpu as usize, core))
            })),
        }
    }

    /// What the columns are.
    pub(super) fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// The column of `signal`.
    pub(super) fn place(&self, signal: &Signal) -> Option<usize> {
        self.signals.iter().position(|of| of == signal)
    }

    /// The columns that add up to CPU time.
    pub(super) fn times(&self) -> Vec<usize> {
        let places = self.signals.iter().enumerate();
        places
            .filter(|(_, signal)| signal.is_time())
            .map(|(place, _)| place)
            .collect()
    }

    /// The row of what was measured in a CPU group.
    pub(super) fn in_group(&self, group: CpuGroupId, signals: &Signals) -> Row {
        self.row(self.of_group.get(usize::from(group.0)), signals)
    }

    /// The row of what was measured on a CPU.
    pub(super) fn on_cpu(&self, cpu: u32, signals: &Signals) -> Row {
        self.row(self.of_cpu.get(cpu as usize), signals)
    }

    fn row(&self, core: Option<&Option<usize>>, signals: &Signals) -> Row {
        // What is in no group ran on a core that has no name.
        let nameless = || self.cores.iter().position(String::is_empty);
        let core = core
            .copied()
            .flatten()
            .or_else(nameless)
            .unwrap_or(usize::MAX);
        let mut row = [0.0; WIDTH];
        // Another core's time: none.
        if let Some(time) = row.get_mut(core).filter(|_| core < self.cores.len()) {
            *time = Signal::time_alone(signals) as f64;
        }
        let others = row.iter_mut().zip(&self.signals).skip(self.cores.len());
        for (cell, signal) in others {
            *cell = signal.of(signals, "") as f64;
        }
        row
    }
}

/// A list of what has these numbers, which are small: those of groups and CPUs.
fn by_number(all: impl Iterator<Item = (usize, usize)>) -> Vec<Option<usize>> {
    let mut list = Vec::new();
    for (number, core) in all {
        if list.len() <= number {
            list.resize(number + 1, None);
        }
        list[number] = Some(core);
    }
    list
}
