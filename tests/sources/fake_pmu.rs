//! A stand-in for the kernel's energy PMUs.

use super::*;

/// Stands in for the kernel: event `config` of PMU `t` on CPU `c` advances by
/// `rate(t, config, c)` with every read.
pub(crate) struct Fake<F> {
    pub(crate) rate: F,
    pub(crate) opened: Arc<Mutex<Vec<Vec<PowerEvent>>>>,
    pub(crate) refuse_groups: bool,
}

pub(crate) struct FakeGroup {
    pub(crate) values: Vec<(u64, u64)>,
}

impl CounterGroup for FakeGroup {
    fn read(&mut self) -> IoResult<Vec<u64>> {
        let step = |(value, rate): &mut (u64, u64)| {
            *value += *rate;
            *value
        };
        Ok(self.values.iter_mut().map(step).collect())
    }
}

impl<F: Fn(PowerEvent) -> u64 + Send> Opener for Fake<F> {
    fn open(&mut self, events: &[PowerEvent]) -> IoResult<Box<dyn CounterGroup>> {
        if self.refuse_groups && events.len() > 1 {
            return Err(std::io::Error::from_raw_os_error(22));
        }
        self.opened.lock().unwrap().push(events.to_vec());
        let values = events
            .iter()
            .map(|event| (0, (self.rate)(*event)))
            .collect();
        Ok(Box::new(FakeGroup { values }))
    }
}

pub(crate) type Opened = Arc<Mutex<Vec<Vec<PowerEvent>>>>;

pub(crate) fn with_pmu(
    tree: &Tree,
    rate: impl Fn(PowerEvent) -> u64 + Send + 'static,
) -> (Selected, Opened) {
    let opened = Opened::default();
    let fake = Fake {
        rate,
        opened: Arc::clone(&opened),
        refuse_groups: false,
    };
    let finder = Finder::new(tree.root()).probe(SHORT).opener(Box::new(fake));
    (finder.select(Choice::Auto).unwrap(), opened)
}

pub(crate) const INTEL: [(&str, u32); 3] =
    [("energy-cores", 1), ("energy-pkg", 2), ("energy-ram", 3)];
