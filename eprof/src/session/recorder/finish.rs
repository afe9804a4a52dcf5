//! The end of a recording: names, losses, cost.

use std::io::Write;
use std::ops::ControlFlow;

use tracing::debug;

use super::Recorder;
use crate::error::{Error, Result};
use crate::launch::ExitStatus;
use crate::recording::{End, Extent, Footprint};
use crate::session::usage::{own_cpu_time, peak_rss};
use crate::symbol::{self, Search};
use crate::unit::Timestamp;

impl<W: Write> Recorder<W> {
    /// Ends the recording: finds the names (debug files through `search`; how
    /// far it has come is told to `naming`, which may end that), adds up losses and cost. Gives
    /// back why the file is not whole, where it is not.
    ///
    /// # Errors
    ///
    /// Only for a defect of eprof.
    pub fn finish(
        mut self,
        exit: ExitStatus,
        ended: Timestamp,
        search: &Search,
        naming: &mut dyn FnMut(symbol::Progress) -> ControlFlow<()>,
    ) -> Result<Option<Error>> {
        let cpu = own_cpu_time().saturating_sub(self.cpu_before);
        let mut losses = self.probe.losses();
        let distrusted = self.probe.distrusted();
        if let Some(sideband) = &mut self.sideband {
            for (reason, count) in sideband.losses().0 {
                losses.count(&reason, count);
            }
        }
        let late = u64::try_from(self.backlog.early()).unwrap_or(u64::MAX);
        losses.count("sample-after-last-interval", late);
        for (reason, count) in &losses.0 {
            debug!(reason, count, "lost");
        }
        let programs = self.probe.footprint();
        self.caveats.extend(self.probe.caveats());
        self.caveats.extend(self.unwinder.caveats());
        self.caveats.extend(self.strays.caveat());
        // The hooks are of no use any more, and naming takes its time.
        drop(self.probe);
        drop(self.sideband);
        let frames = &self.capture.catalog().frames;
        let resolution = self.maps.resolve(frames, search, naming);
        debug!(
            frames = frames.len(),
            named = resolution.symbols.len(),
            "looked names up"
        );
        for (object, segments) in resolution.segments {
            self.capture.segments(object, segments)?;
        }
        for symbol in resolution.symbols {
            self.capture.symbol(symbol)?;
        }
        for lines in resolution.lines {
            self.capture.lines(lines)?;
        }
        self.caveats.extend(resolution.caveats);
        let finished = self.capture.finish(End {
            ended,
            exit_code: exit.code.into(),
            signal: exit.signal,
            losses,
            distrusted,
            footprint: Footprint {
                cpu,
                peak_rss: peak_rss(),
                programs,
            },
            caveats: self.caveats,
            // The capture knows.
            extent: Extent::default(),
        })?;
        Ok(finished.failure)
    }
}
