//! A recording of the simulated machine, made by the rules of a session.

use eprof::measurement::{CpuAccount, CpuGroup, Reading, Signals};
use eprof::recording::{Header, IntervalRecord};
use eprof::session::schedule::{Due, Schedule};
use eprof::source::UpdateClocks;
use eprof::timeline::{Interval, Timeline};
use eprof::unit::{Nanos, Timestamp};

use super::world::{Dice, World, latency};

/// What came of a run.
pub struct Run {
    pub records: Vec<IntervalRecord>,
    pub stretches: Vec<Interval>,
    /// Rounds of readings after the start.
    pub reads: u64,
    /// Intervals whose border was set at an update.
    pub locked: usize,
}

pub struct Session<'a> {
    pub world: &'a World,
    pub dice: Dice,
    edges: UpdateClocks,
    now: f64,
    reads: u64,
}

pub fn header(world: &World, interval: Nanos) -> Header {
    Header {
        interval,
        meters: world.meters(),
        cpu_groups: vec![CpuGroup {
            id: eprof::measurement::CpuGroupId(0),
            cpus: vec![0],
            core: String::new(),
        }],
        ..Header::default()
    }
}

impl<'a> Session<'a> {
    /// Records for so many seconds, with intervals of `interval`.
    pub fn run(world: &'a World, interval: Nanos, seconds: f64, seed: u64) -> Run {
        let mut session = Self {
            world,
            dice: Dice(seed),
            edges: UpdateClocks::default(),
            now: 5e6,
            reads: 0,
        };
        let rounds = session.poll(21e6);
        session.edges = UpdateClocks::acquire(&world.meters(), &rounds);
        session.record(interval, seconds)
    }

    /// Records without any clock, as a program does that reads when it runs.
    pub fn naive(world: &'a World, interval: Nanos, seconds: f64, seed: u64) -> Run {
        let session = Self {
            world,
            dice: Dice(seed),
            edges: UpdateClocks::default(),
            now: 5e6,
            reads: 0,
        };
        session.record(interval, seconds)
    }

    fn record(mut self, interval: Nanos, seconds: f64) -> Run {
        self.reads = 0;
        let end = self.now + seconds * 1e9;
        let mut records = Vec::new();
        let mut locked = 0;
        let mut begin = self.align();
        let (readings, _) = self.read();
        records.push(record(begin, begin, readings));
        let mut schedule = Schedule::new(interval, begin);
        let mut border = schedule.plan(&self.edges, self.at());
        while self.now < end {
            let alarm = schedule.next();
            self.now = self.now.max(alarm.0 as f64 + latency(&mut self.dice));
            match schedule.due(self.at()) {
                Some(Due::Boundary) => {
                    let (readings, after) = self.read();
                    let at = border.unwrap_or(after);
                    locked += usize::from(border.is_some());
                    records.push(record(begin, at, readings));
                    begin = at;
                    // Flush, collect, write down.
                    self.now += 100e3;
                    border = schedule.plan(&self.edges, self.at());
                }
                Some(Due::Check) => {
                    let read = self.at();
                    self.once();
                    schedule.checked(alarm, read, &self.edges);
                }
                Some(Due::Drain) | None => {}
            }
        }
        let at = self.align().max(begin);
        let (readings, _) = self.read();
        records.push(record(begin, at, readings));
        let mut timeline = Timeline::new(&header(self.world, interval));
        let mut stretches: Vec<_> = records
            .iter()
            .flat_map(|record| timeline.push(record))
            .collect();
        stretches.extend(timeline.finish().0);
        Run {
            records,
            stretches,
            reads: self.reads,
            locked,
        }
    }

    fn at(&self) -> Timestamp {
        Timestamp(self.now as u64)
    }

    /// A border at the next update, where that is known, else now.
    fn align(&mut self) -> Timestamp {
        let Some(main) = self.edges.main() else {
            return self.at();
        };
        let edge = main.next(Timestamp(self.now as u64 + 30_000));
        self.now = (edge.at + main.margin(&edge)).0 as f64 + latency(&mut self.dice);
        edge.at
    }

    fn once(&mut self) -> Vec<Reading> {
        let mut readings = self.world.read(self.now);
        self.now += 2e3 * readings.len() as f64;
        self.reads += 1;
        self.edges.date(&mut readings);
        readings
    }

    fn read(&mut self) -> (Vec<Reading>, Timestamp) {
        if self.edges.wants_resuming() {
            let rounds = self.poll(2.0 * self.edges.longest().0 as f64);
            self.edges.resume(&rounds);
        }
        let mut readings = self.once();
        if let Some(certain) = self.edges.certain_from(readings[0].end) {
            self.now = self.now.max(certain.0 as f64) + latency(&mut self.dice);
            readings = self.once();
        }
        (readings, self.at())
    }

    fn poll(&mut self, ns: f64) -> Vec<Vec<Reading>> {
        let end = self.now + ns;
        let mut rounds = Vec::new();
        while self.now < end {
            rounds.push(self.world.read(self.now));
            self.reads += 1;
            self.now += 60e3 + latency(&mut self.dice);
        }
        rounds
    }
}

pub fn record(begin: Timestamp, end: Timestamp, readings: Vec<Reading>) -> IntervalRecord {
    let length = end.since(begin);
    IntervalRecord {
        begin,
        end,
        readings,
        cpus: if length > Nanos::ZERO {
            vec![CpuAccount {
                target: Signals::of_time(length),
                ..CpuAccount::default()
            }]
        } else {
            Vec::new()
        },
        ..IntervalRecord::default()
    }
}

/// Relative errors of the energies of a meter's stretches of about the usual
/// length, and their errors in units of the deviation that was claimed for
/// their ends.
pub fn errors(world: &World, run: &Run, meter: u16) -> (Vec<f64>, Vec<f64>) {
    let share = world.registers[usize::from(meter)].share;
    let truth = |at: Timestamp| world.power.until(at.0 as f64) * share;
    let (mut relative, mut normalised) = (Vec::new(), Vec::new());
    let mut before = None;
    for stretch in run.stretches.iter().filter(|of| of.meter.0 == meter) {
        let Some(energy) = stretch.energy else {
            continue;
        };
        let used = truth(stretch.end) - truth(stretch.begin);
        if used > 0.0 {
            relative.push(energy.0 as f64 / used - 1.0);
            if let Some(before) = before {
                let sd: f64 = f64::hypot(before, stretch.boundary.sd);
                normalised.push((energy.0 as f64 - used) / sd.max(1.0));
            }
        }
        before = Some(stretch.boundary.sd);
    }
    (relative, normalised)
}

pub fn deviation(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}
