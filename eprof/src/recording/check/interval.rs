//! The rules of an interval.

use crate::measurement::{CpuAccount, Reading, Signals};
use crate::unit::Timestamp;

use super::checker::{Broken, Checker, known, length, time};
use super::header::Shape;
use crate::recording::record::IntervalRecord;

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

impl Checker {
    /// Checks an interval and takes note of its times.
    pub(super) fn interval(&mut self, interval: &IntervalRecord) -> Result<(), Broken> {
        let (tasks, stacks) = (self.tasks, self.stacks());
        let Some(shape) = &self.shape else {
            return Err("does not begin with a header".into());
        };
        time(interval.end)?;
        if interval.begin > interval.end {
            return Err("has an interval that ends before it begins".into());
        }
        if self.clock.intervals > 0 && interval.begin < self.clock.end {
            return Err("has an interval that begins before the last one ends".into());
        }
        for thread in &interval.threads {
            known(thread.task.0, tasks, "task")?;
            known(u32::from(thread.group.0), shape.zones, "zone")?;
            signals(&thread.signals)?;
        }
        for sample in &interval.samples {
            known(sample.task.0, tasks, "task")?;
            known(u32::from(sample.group.0), shape.zones, "zone")?;
            known(sample.stack.0, stacks, "stack")?;
            length(sample.spent)?;
            if sample.count == 0 {
                return Err("has a sample that was never taken".into());
            }
        }
        // Only notes of this interval are made below; another one is not
        // mistaken for it even if this one is refused.
        self.clock.intervals += 1;
        for cpu in &interval.cpus {
            self.clock.cpu(cpu, shape)?;
        }
        for reading in &interval.readings {
            self.clock.reading(reading, shape)?;
        }
        for reading in &interval.readings {
            self.clock.read[usize::from(reading.meter.0)] = reading.end;
        }
        self.clock.end = interval.end;
        Ok(())
    }
}

/// Checks the times of what was measured. The time beside a busy sibling may
/// be a little longer than the whole, as it is taken from another CPU's books.
fn signals(signals: &Signals) -> Result<(), Broken> {
    length(signals.on_cpu)?;
    length(signals.smt_shared)
}

impl Clock {
    /// Checks a CPU's account.
    fn cpu(&mut self, account: &CpuAccount, shape: &Shape) -> Result<(), Broken> {
        let cpu = account.cpu as usize;
        if !shape.zoned.get(cpu).copied().unwrap_or(false) {
            return Err(format!("uses CPU {cpu}, which is in no zone"));
        }
        self.cpus.resize(shape.zoned.len(), 0);
        if std::mem::replace(&mut self.cpus[cpu], self.intervals) == self.intervals {
            return Err(format!("has CPU {cpu} twice in an interval"));
        }
        for class in [account.kernel, account.other, account.eprof, account.target] {
            signals(&class)?;
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
        if let Some(edge) = reading.updated {
            time(edge.at)?;
            length(edge.sd)?;
        }
        if reading.begin > reading.end || reading.begin < self.read[index] {
            return Err(format!("has readings of meter {meter} out of order"));
        }
        Ok(())
    }
}
