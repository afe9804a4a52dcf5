//! What happened in the kernel, on its way into the recording.

use std::io::Write;

use super::{Observer, Recorder};
use crate::error::Result;
use crate::kernel::{KernelEvent, Sample, in_order};
use crate::session::backlog::Taken;

impl<W: Write> Recorder<W> {
    /// Writes down the intervals whose samples are complete; all of them with
    /// `now`.
    pub(super) fn write_down(&mut self, now: bool, observer: &mut Observer<'_>) -> Result<()> {
        while let Some(ended) = self.backlog.next(now) {
            for taken in ended.samples {
                let slice = &taken.sample.slice;
                self.capture.sample(taken.task, slice, taken.frames());
            }
            let record = self.capture.close(ended.accounts, ended.readings)?;
            observer(&record, self.threads);
        }
        Ok(())
    }

    /// Takes in what happened since the last time.
    pub(super) fn drain(&mut self) -> Result<()> {
        let mut batch = Vec::new();
        self.probe.drain(&mut |event| batch.push(event));
        // After the samples, so that what they point into is known.
        if let Some(sideband) = &mut self.sideband {
            sideband.drain(&mut |mapping| batch.push(KernelEvent::Mapped(mapping)));
        }
        // As they were found, which is by their numbers: two tasks that are created at once on
        // two CPUs may be dated the other way round.
        for event in &batch {
            if let KernelEvent::Created(task) = event {
                self.threads += 1;
                self.capture.created(task.clone())?;
            }
        }
        in_order(&mut batch);
        for event in batch {
            self.maps.apply(&event);
            match event {
                KernelEvent::Sample(sample) => self.sampled(sample),
                KernelEvent::Mapped(_) | KernelEvent::Created(_) => {}
                KernelEvent::Renamed { task, at, comm } => self.capture.renamed(task, at, comm)?,
                KernelEvent::Gone { task, at } => self.capture.gone(task, at)?,
            }
        }
        self.record_objects()?;
        self.maps.end_batch();
        self.backlog.complete(self.unwinder.take_in(false));
        let (spaces, objects) = self.maps.spaces();
        self.unwinder.publish(&mut self.probe, spaces, objects);
        Ok(())
    }

    /// Takes in a sample.
    fn sampled(&mut self, sample: Sample) {
        let Some(task) = sample.task else {
            return self.capture.lost("sample-of-unnamed-thread", 1);
        };
        self.strays.sampled(task);
        let context = self.maps.context(&sample);
        let objects = self.maps.objects();
        let taken = Taken::new(task, sample, context, &mut self.unwinder, objects);
        self.backlog.add(taken);
    }

    /// Frames name objects by their position in the maps: the recording has
    /// the same list.
    fn record_objects(&mut self) -> Result<()> {
        for object in self.maps.objects().list().iter().skip(self.objects) {
            self.capture.object(object.clone())?;
            self.objects += 1;
        }
        Ok(())
    }
}
