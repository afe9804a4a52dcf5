//! Timers for those of the target that have none any more.

use std::collections::HashMap;
use std::io::Write;

use tracing::debug;

use super::Recorder;
use crate::clock;
use crate::kernel::{KernelEvent, mapped};
use crate::measurement::{Task, ThreadAccount};

impl<W: Write> Recorder<W> {
    /// Gives timers to those that use the CPU and are not sampled any more.
    pub(super) fn follow_strays(&mut self, threads: &[ThreadAccount]) {
        let mut away = false;
        for suspect in self.strays.suspects(threads) {
            let catalog = self.capture.catalog();
            let Some(task) = catalog.tasks.get(suspect.0 as usize) else {
                continue;
            };
            let unsampled = self.strays.looked_at(suspect);
            if self.strays.is_followed(task, &catalog.tasks) {
                continue;
            }
            if self.strays.is_away(task.pid) {
                self.strays.missed(unsampled);
                self.follow_stray(&task.clone());
                away = true;
            }
        }
        if away && self.strays.has_home() {
            self.follow_their_kin();
        }
    }

    /// Also those that have hardly used the CPU yet: what they start inherits their
    /// timers.
    fn follow_their_kin(&mut self) {
        let catalog = self.capture.catalog();
        let live = catalog.tasks.iter().zip(&catalog.gone);
        let live = live.filter(|(_, gone)| gone.is_none());
        let mut looked_at = HashMap::new();
        let away: Vec<Task> = live
            .map(|(task, _)| task)
            .filter(|task| !self.strays.is_followed(task, &catalog.tasks))
            .filter(|task| {
                *looked_at
                    .entry(task.pid)
                    .or_insert_with(|| self.strays.is_away(task.pid))
            })
            .cloned()
            .collect();
        for task in &away {
            self.follow_stray(task);
        }
    }

    fn follow_stray(&mut self, task: &Task) {
        if !self.strays.have_room() {
            return;
        }
        let since = clock::now();
        let sampled = self.probe.sample_thread(task.tid);
        debug!(
            tid = task.tid,
            followed = sampled.is_ok(),
            "looked after a stray thread"
        );
        if !self.strays.follow(task, since, &sampled) {
            return;
        }
        if let Some(sideband) = &mut self.sideband
            && let Err(error) = sideband.also(task.pid, self.probe.cpus())
        {
            self.strays.refused(error);
        }
        // What was mapped meanwhile was told to nobody.
        for mapping in mapped(task.pid) {
            self.maps.apply(&KernelEvent::Mapped(mapping));
        }
    }
}
