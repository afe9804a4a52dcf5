//! Reading the meters, and dating what they say.

use crate::clock;
use crate::error::Result;
use crate::measurement::Reading;
use crate::source::{EnergySource, UpdateClocks};
use crate::unit::{Nanos, Timestamp};

/// How long the meters are read in close succession to find their clocks: 20
/// updates give the period to 1.5 µs.
const ACQUISITION: Nanos = Nanos(21_000_000);
/// How often that is tried, where eprof does not get to run all the time.
const TRIES: usize = 3;
/// How often a reading is repeated that took so long that nobody knows which
/// update it holds, because eprof did not get to run in the midst of it.
const REPEATS: usize = 3;
/// Time between two such reads. Too short to sleep: one would wake up after a
/// multiple of it.
const PAUSE: Nanos = Nanos(25_000);

/// An energy source whose readings are dated.
pub struct Reader {
    source: Box<dyn EnergySource + Send>,
    clocks: UpdateClocks,
    reads: u64,
}

impl Reader {
    /// A reader of `source` that knows no clocks yet.
    pub fn new(source: Box<dyn EnergySource + Send>) -> Self {
        Self {
            source,
            clocks: UpdateClocks::default(),
            reads: 0,
        }
    }

    /// Finds the clocks by which the registers are updated, in about 20 ms of
    /// reading; at once where no meter can have one.
    ///
    /// # Errors
    /// Where the source is gone.
    pub fn acquire(&mut self) -> Result<()> {
        let mut tries = TRIES;
        while tries > 0
            && UpdateClocks::can_be_found(self.source.meters())
            && self.clocks.main().is_none()
        {
            let rounds = self.poll(ACQUISITION)?;
            self.clocks = UpdateClocks::acquire(self.source.meters(), &rounds);
            tries -= 1;
        }
        Ok(())
    }

    /// The clocks.
    pub fn clocks(&self) -> &UpdateClocks {
        &self.clocks
    }

    /// How often the meters were read so far.
    pub fn reads(&self) -> u64 {
        self.reads
    }

    /// Reads all meters once, only to learn about their clocks.
    ///
    /// # Errors
    /// Where the source is gone.
    pub fn check(&mut self) -> Result<Timestamp> {
        let readings = self.once()?;
        Ok(readings.first().map_or_else(clock::now, |of| of.begin))
    }

    /// Reads all meters. Where it is doubtful whether the register of the main
    /// one had been updated just before, or in the midst of it, reads again.
    /// Clocks that were lost are looked for.
    ///
    /// # Errors
    /// Where the source is gone.
    pub fn read(&mut self) -> Result<Vec<Reading>> {
        if self.clocks.wants_resuming() {
            let time = Nanos(self.clocks.longest().0 * 2);
            let rounds = self.poll(time)?;
            self.clocks.resume(&rounds);
        }
        let mut readings = self.once()?;
        for _ in 0..REPEATS {
            if !self.clocks.is_blurred(&readings) {
                break;
            }
            readings = self.once()?;
        }
        let read = readings.first().map(|reading| reading.end);
        if let Some(certain) = read.and_then(|at| self.clocks.certain_from(at)) {
            sleep_until(certain);
            readings = self.once()?;
        }
        Ok(readings)
    }

    fn once(&mut self) -> Result<Vec<Reading>> {
        let mut readings = self.source.read()?;
        self.reads += 1;
        self.clocks.date(&mut readings);
        Ok(readings)
    }

    fn poll(&mut self, time: Nanos) -> Result<Vec<Vec<Reading>>> {
        let end = clock::now() + time;
        let mut rounds = Vec::new();
        let mut now = clock::now();
        while now < end {
            rounds.push(self.source.read()?);
            self.reads += 1;
            let next = now + PAUSE;
            while now < next {
                std::hint::spin_loop();
                now = clock::now();
            }
        }
        Ok(rounds)
    }
}

/// Sleeps; at most a few updates long.
pub fn sleep_until(at: Timestamp) {
    std::thread::sleep(at.since(clock::now()).into());
}
