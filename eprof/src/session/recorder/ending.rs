//! The end of the measurement: the last interval.

use std::io::Write;

use super::{Observer, Recorder};
use crate::clock;
use crate::error::Result;
use crate::session::reader::sleep_until;
use crate::session::schedule::DRAIN;
use crate::unit::{Nanos, Timestamp};

/// How often the last boundary is set anew, because the meters were read so late
/// that they had been updated once more.
const ENDINGS: u32 = 16;

/// How long before a boundary another one can take its place.
const SHORTLY: Nanos = Nanos(1_000_000);

impl<W: Write> Recorder<W> {
    /// Ends the last interval: at the next update of the main meter, which is
    /// waited for, so that the last reading has the energy up to the boundary
    /// and no other. Between two readings lie `least` at least.
    pub(super) fn end(&mut self, least: Nanos, observer: &mut Observer<'_>) {
        if self.is_boundary_over() {
            self.tick(observer);
        }
        let endings = if least > Nanos::ZERO { 1 } else { ENDINGS };
        self.keep_apart(least);
        for _ in 0..endings {
            // Where it has come meanwhile, it is the end.
            if !self.is_boundary_over() {
                self.align();
            }
            self.tick(observer);
            if self.broken || !self.overrun {
                break;
            }
        }
    }

    /// Whether the boundary that was set has passed.
    fn is_boundary_over(&self) -> bool {
        self.boundary
            .is_some_and(|boundary| boundary <= clock::now())
    }

    /// Waits until as long has passed since the last readings as must lie between two,
    /// where something must: a target that ends early gets nobody finer ones.
    fn keep_apart(&mut self, least: Nanos) {
        let until = self.opened + least;
        // Shortly before a boundary that is set, so that the last one takes its place.
        let until = self.boundary.map_or(until, |boundary| {
            until.min(Timestamp(boundary.0.saturating_sub(SHORTLY.0)))
        });
        while !self.broken && clock::now() < until {
            let drained = self.drain();
            self.outlive(drained);
            sleep_until(until.min(clock::now() + DRAIN));
        }
    }

    /// Waits for the stacks that are still being walked, and writes down the
    /// last intervals.
    pub(super) fn write_all(&mut self, observer: &mut Observer<'_>) -> Result<()> {
        while self.backlog.is_waiting() && self.unwinder.is_busy() {
            self.backlog.complete(self.unwinder.take_in(true));
        }
        self.write_down(true, observer)
    }
}
