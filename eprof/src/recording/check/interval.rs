//! The rules of an interval.

use super::header::Shape;
use super::rules::{Broken, NO_HEADER, known, length, time};
use crate::measurement::{CpuAccount, Event, EventUnit, Reading, Signals, ThreadAccount};
use crate::recording::record::{IntervalRecord, SampleCount};
use crate::unit::{Nanos, Timestamp};

/// What an interval may refer to.
pub(super) struct Defined<'a> {
    shape: &'a Shape,
    tasks: u32,
    stacks: u32,
}

impl<'a> Defined<'a> {
    /// So many tasks and stacks, and what the header says.
    pub(super) fn new(shape: Option<&'a Shape>, tasks: u32, stacks: u32) -> Result<Self, Broken> {
        Ok(Self {
            shape: shape.ok_or(NO_HEADER)?,
            tasks,
            stacks,
        })
    }

    /// Checks a CPU's account by itself.
    pub(super) fn cpu(&self, account: &CpuAccount) -> Result<(), Broken> {
        let &CpuAccount {
            cpu,
            kernel,
            other,
            eprof,
            target,
        } = account;
        if !self
            .shape
            .grouped
            .get(cpu as usize)
            .copied()
            .unwrap_or(false)
        {
            return Err(format!("uses CPU {cpu}, which is in no CPU group"));
        }
        let mut classes = [kernel, other, eprof, target].into_iter();
        classes.try_for_each(|class| self.signals(&class))
    }

    /// Checks a thread's account.
    pub(super) fn thread(&self, account: &ThreadAccount) -> Result<(), Broken> {
        known(account.task.0, self.tasks, "task")?;
        known(account.group.0.into(), self.shape.groups, "CPU group")?;
        self.signals(&account.signals)
    }

    /// Checks the times of what was measured, and that there is no event that the
    /// header does not list. The time beside a busy sibling may be a little longer
    /// than the whole, as it is taken from another CPU's account.
    fn signals(&self, signals: &Signals) -> Result<(), Broken> {
        let Signals { on_cpu, events } = signals;
        length(*on_cpu)?;
        for (event, number) in events.iter() {
            if !self.shape.listed[event.place()] {
                uncounted(event, number)?;
            }
            if event.unit() == EventUnit::Nanoseconds {
                length(Nanos(number))?;
            }
        }
        Ok(())
    }

    /// Checks a sample.
    pub(super) fn sample(&self, sample: &SampleCount) -> Result<(), Broken> {
        known(sample.task.0, self.tasks, "task")?;
        known(sample.group.0.into(), self.shape.groups, "CPU group")?;
        known(sample.stack.0, self.stacks, "stack")?;
        length(sample.spent)?;
        for &counter in &self.shape.uncounted {
            uncounted(counter.into(), sample.counts[counter as usize])?;
        }
        if sample.count == 0 {
            return Err("has a sample that was never taken".into());
        }
        Ok(())
    }
}

/// What must not go backwards, and what must not come twice.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// End of the last interval.
    end: Timestamp,
    /// How many intervals there were.
    intervals: u64,
    /// End of the last reading, by meter.
    read: Vec<Timestamp>,
    /// By meter and by CPU, the last interval (counted from one) it was in.
    meters: Vec<u64>,
    cpus: Vec<u64>,
}

impl Clock {
    /// Checks an interval and takes note of its times.
    pub(super) fn interval(
        &mut self,
        interval: &IntervalRecord,
        defined: &Defined<'_>,
    ) -> Result<(), Broken> {
        time(interval.end)?;
        if interval.begin > interval.end {
            return Err("has an interval that ends before it begins".into());
        }
        if self.intervals > 0 && interval.begin < self.end {
            return Err("has an interval that begins before the last one ends".into());
        }
        let mut threads = interval.threads.iter();
        threads.try_for_each(|account| defined.thread(account))?;
        let mut samples = interval.samples.iter();
        samples.try_for_each(|sample| defined.sample(sample))?;
        // Only notes of this interval are made below; another one is not
        // mistaken for it even if this one is refused.
        self.intervals += 1;
        for account in &interval.cpus {
            defined.cpu(account)?;
            self.cpu(account.cpu as usize, defined.shape)?;
        }
        for reading in &interval.readings {
            self.reading(reading, defined.shape)?;
        }
        for reading in &interval.readings {
            self.read[usize::from(reading.meter.0)] = reading.end;
        }
        self.end = interval.end;
        Ok(())
    }

    /// Refuses a CPU that the interval has already.
    fn cpu(&mut self, cpu: usize, shape: &Shape) -> Result<(), Broken> {
        self.cpus.resize(shape.grouped.len(), 0);
        if std::mem::replace(&mut self.cpus[cpu], self.intervals) == self.intervals {
            return Err(format!("has CPU {cpu} twice in an interval"));
        }
        Ok(())
    }

    /// Checks a reading.
    fn reading(&mut self, reading: &Reading, shape: &Shape) -> Result<(), Broken> {
        let meter = u32::from(reading.meter.0);
        known(meter, shape.meters, "meter")?;
        let index = meter as usize;
        self.meters.resize(shape.meters as usize, 0);
        self.read.resize(shape.meters as usize, Timestamp(0));
        if std::mem::replace(&mut self.meters[index], self.intervals) == self.intervals {
            return Err(format!("has meter {meter} twice in an interval"));
        }
        time(reading.end)?;
        if let Some(update) = reading.updated {
            time(update.at)?;
            length(update.sd)?;
        }
        if reading.begin > reading.end || reading.begin < self.read[index] {
            return Err(format!("has readings of meter {meter} out of order"));
        }
        Ok(())
    }
}

/// Refuses what is said of an event that the header does not list.
fn uncounted(event: Event, number: u64) -> Result<(), Broken> {
    if number == 0 {
        return Ok(());
    }
    let name = event.name();
    Err(format!("counts {name}, which its header does not list"))
}
