//! The recorder: while the target runs, closes one interval after the other
//! and writes down what the meters, the kernel and the mappings say.

mod ending;
mod finish;
mod intake;
mod strays;

use std::io::Write;
use std::os::fd::BorrowedFd;

use super::Plan;
use super::backlog::Backlog;
use super::reader::{Reader, sleep_until};
use super::schedule::{Due, Schedule};
use super::strays::Strays;
use super::usage::own_cpu_time;
use nix::sys::signal::Signal;
use tracing::{debug, info, trace, warn};

use crate::caveat::Caveat;
use crate::clock;
use crate::error::{ErrorKind, Result};
use crate::kernel::{Priority, Probe, Sideband};
use crate::launch::{Cgroup, Child, SignalSet, Supervised, Supervisor, Wakeup};
use crate::measurement::{IntervalAccounts, Reading, UpdateTime};
use crate::recording::{Capture, IntervalRecord};
use crate::source::EnergySource;
use crate::symbol::ProcessMaps;
use crate::unit::{Nanos, Timestamp};
use crate::unwind::Unwinder;

/// How long before the first and the last boundary they are set, at least.
const NOTICE: Nanos = Nanos(30_000);

/// The first readings are this close to the first boundary, if they can be.
const NEAR: Nanos = Nanos(1_200_000);

/// How long after something was mapped the rings are emptied: a program that
/// begins maps several files one after the other.
const MAPPINGS_FOLLOW: Nanos = Nanos(3_000_000);

/// The same where a stack could not be walked: the next one is through the same
/// code, and is cut if the kernel does not know it by then.
const SOON: Nanos = Nanos(500_000);

/// How often that is tried.
const BEGINNINGS: u32 = 16;

/// How often the kernel may refuse to let eprof wait for what comes next.
const REFUSALS: u32 = 16;

/// Is handed each interval as it is written down, with the number of threads
/// that were seen until then. The first has no length: it is the beginning.
pub type Observer<'a> = dyn FnMut(&IntervalRecord, u64) + 'a;

/// A run that is being recorded.
pub struct Recorder<W: Write> {
    probe: Probe,
    reader: Reader,
    sideband: Option<Sideband>,
    maps: ProcessMaps,
    unwinder: Unwinder,
    strays: Strays,
    capture: Capture<W>,
    /// When the measurement began; `None` while it is delayed.
    began: Option<Timestamp>,
    /// When the interval began that has not ended.
    opened: Timestamp,
    schedule: Schedule,
    /// The boundary that was set in advance.
    boundary: Option<Timestamp>,
    /// Whether the meters were read too late for the last boundary.
    overrun: bool,
    backlog: Backlog,
    /// Objects of the process maps that the recording has.
    objects: usize,
    threads: u64,
    cpu_before: Nanos,
    caveats: Vec<Caveat>,
    /// When that was.
    released_at: Option<Timestamp>,
    /// When its end was seen.
    exited_at: Option<Timestamp>,
    /// The signal that asked for an end.
    interrupted: Option<Signal>,
    /// Whether the measurement failed on the way; the target still runs.
    broken: bool,
}

impl<W: Write> Recorder<W> {
    /// A recorder that has not begun. Without a `sideband`, user code has no
    /// names.
    pub fn new(
        probe: Probe,
        source: Box<dyn EnergySource + Send>,
        sideband: Option<Sideband>,
        capture: Capture<W>,
        mut caveats: Vec<Caveat>,
    ) -> Self {
        let tables = probe.tables().unwrap_or_else(|error| {
            caveats.push(Caveat::new(
                "no-tables",
                format!("stacks are copied and walked afterwards: {error}"),
            ));
            None
        });
        let unwinder = Unwinder::new(tables, probe.code_mask());
        Self {
            probe,
            reader: Reader::new(source),
            sideband,
            maps: ProcessMaps::default(),
            unwinder,
            strays: Strays::default(),
            capture,
            began: None,
            opened: Timestamp::default(),
            schedule: Schedule::new(Nanos::ZERO, Timestamp::default()),
            boundary: None,
            overrun: false,
            backlog: Backlog::default(),
            objects: 0,
            threads: 0,
            cpu_before: Nanos::ZERO,
            caveats,
            released_at: None,
            exited_at: None,
            interrupted: None,
            broken: false,
        }
    }

    /// Says that so many processes of the target outlived its first one.
    pub fn left_running(&mut self, processes: usize) {
        let sentence = match processes {
            0 => return,
            1 => "a process of the target still ran when its first one had ended; it goes on, \
                  and what it uses from now on is not in the report"
                .to_owned(),
            more => format!(
                "{more} processes of the target still ran when its first one had ended; they go \
                 on, and what they use from now on is not in the report"
            ),
        };
        self.caveats.push(Caveat::new("left-running", sentence));
    }

    /// The signal, if any, that asked eprof to come to an end.
    pub fn interrupted(&self) -> Option<Signal> {
        self.interrupted
    }

    /// How long the target was measured: from when it was let go, or the
    /// measurement began, to its end.
    pub fn ran(&self) -> Option<Nanos> {
        let from = self.released_at?.max(self.began?);
        Some(self.exited_at?.since(from))
    }

    /// Lets the target go, tells `released` so, and records it until its root
    /// process has ended.
    ///
    /// # Errors
    ///
    /// Where the target cannot be executed, or eprof cannot go on.
    pub fn follow(
        &mut self,
        plan: &Plan,
        child: &mut Child,
        signals: &SignalSet,
        cgroup: Option<&Cgroup>,
        released: &mut dyn FnMut(),
        observer: &mut Observer<'_>,
    ) -> Result<()> {
        // Until the target has ended; what comes then has time.
        let _urgent = Priority::raise();
        self.reader.acquire()?;
        debug!(
            reads = self.reader.reads(),
            found = self.reader.clocks().main().is_some(),
            "looked for the clock of the meters"
        );
        self.schedule = Schedule::new(plan.interval, clock::now());
        let mut begin = plan.delay.map(|delay| clock::now() + delay);
        if begin.is_none() {
            self.begin(observer)?;
        }
        let now = clock::now();
        let end = plan
            .duration
            .map(|duration| begin.unwrap_or(now) + duration);
        self.strays = Strays::new(child.pid(), cgroup.is_some(), plan.frequency_hz);
        let mut supervisor = Supervisor::new(end)?;
        child.release()?;
        self.released_at = Some(now);
        released();
        let mut refused = 0;
        loop {
            let target = Supervised {
                child,
                signals,
                cgroup,
            };
            let due = (!self.broken).then(|| self.schedule.next());
            let alarm = begin.into_iter().chain(due).min();
            let wakeup = match supervisor.next(target, alarm, &self.readable()) {
                Ok(wakeup) => wakeup,
                Err(error) if error.kind() == ErrorKind::Permission => return Err(error),
                Err(error) => {
                    // A moment without memory is no reason to leave the target.
                    refused += 1;
                    if refused > REFUSALS {
                        self.outlive::<()>(Err(error));
                        child.reap()?;
                        Wakeup::Exited
                    } else {
                        continue;
                    }
                }
            };
            match wakeup {
                Wakeup::Exited => {
                    self.exited_at = Some(clock::now());
                    break;
                }
                Wakeup::Alarm if begin.is_some_and(|begin| begin <= clock::now()) => {
                    begin = None;
                    let begun = self.begin(observer);
                    self.outlive(begun);
                }
                Wakeup::Alarm => self.wake(observer),
                Wakeup::Over(at) => {
                    if let Some(sideband) = &mut self.sideband {
                        sideband.over(at);
                    }
                }
                Wakeup::Ready(_) => {
                    let soon = if self.probe.take_wakeup() {
                        SOON
                    } else {
                        MAPPINGS_FOLLOW
                    };
                    self.schedule.hasten(clock::now() + soon);
                }
            }
        }
        self.interrupted = supervisor.interrupted();
        // The target ended before the measurement was to begin.
        if self.began.is_none() && !self.broken {
            let begun = self.begin(observer);
            self.outlive(begun);
            self.caveats.push(
                Caveat::new(
                    "ended-in-delay",
                    "the target ended before the measurement began",
                )
                .hint("choose a shorter --delay"),
            );
        }
        self.end(Plan::affordable(Nanos::ZERO), observer);
        let written = self.write_all(observer);
        self.outlive(written);
        Ok(())
    }

    /// What is read soon: new mappings, and stacks through code that is
    /// not known yet.
    fn readable(&self) -> Vec<BorrowedFd<'_>> {
        if self.broken {
            return Vec::new();
        }
        let copies = self.probe.copies().filter(|_| self.unwinder.is_learning());
        let mappings = self.sideband.iter().flat_map(Sideband::descriptors);
        mappings.chain(copies).collect()
    }

    /// Does what is due.
    fn wake(&mut self, observer: &mut Observer<'_>) {
        let alarm = self.schedule.next();
        match self.schedule.due(clock::now()) {
            Some(Due::Boundary) => {
                self.tick(observer);
                if self.began.is_none() {
                    // The measurement has not begun.
                    self.schedule.plan(self.reader.clocks(), clock::now());
                }
            }
            Some(Due::Check) => {
                // Where the source fails, the next boundary will show it.
                if let Ok(read) = self.reader.check() {
                    self.schedule.checked(alarm, read, self.reader.clocks());
                }
            }
            Some(Due::Drain) => {
                let drained = self.drain();
                self.outlive(drained);
            }
            None => {}
        }
    }

    /// Watches the mappings of CPUs that came online.
    fn follow_cpus(&mut self) {
        for cpu in self.probe.take_arrived() {
            if let Some(sideband) = &mut self.sideband
                && let Err(error) = sideband.renew(cpu)
            {
                let sentence = format!("code that is mapped on CPU {cpu} has no names: {error}");
                debug!("{sentence}");
                let caveat = Caveat::new("no-mappings", sentence);
                if !self.caveats.contains(&caveat) {
                    self.caveats.push(caveat);
                }
            }
        }
    }

    /// Sets the end of the interval that has begun.
    fn set_boundary(&mut self) {
        let planned = self.schedule.plan(self.reader.clocks(), clock::now());
        self.boundary = planned.map(|at| self.probe.arm(at));
    }

    /// Whether `readings` hold another update of the main meter than the one
    /// at `boundary`.
    fn is_overrun(&self, readings: &[Reading], boundary: Timestamp) -> bool {
        let off = |update: UpdateTime| update.at.since(boundary).max(boundary.since(update.at));
        // Another clock than the main one may be off by chance, and near by
        // chance, too.
        let nearest = readings.iter().filter_map(|of| of.updated).map(off).min();
        let main = self.reader.clocks().main();
        nearest
            .zip(main)
            .is_some_and(|(off, main)| off > Nanos(main.period().0 / 3))
    }

    /// Sets the next boundary to the next update of the main meter, and waits
    /// until that has come. Does nothing where updates are not known.
    fn align(&mut self) {
        if let Some(main) = self.reader.clocks().main() {
            let update = main.next(clock::now() + NOTICE);
            let margin = main.margin(&update);
            let boundary = self.probe.arm(update.at);
            self.boundary = Some(boundary);
            sleep_until(boundary + margin);
        }
    }

    /// Closes an interval.
    fn tick(&mut self, observer: &mut Observer<'_>) {
        if self.broken {
            return;
        }
        let closed = self.close(observer);
        self.outlive(closed);
    }

    /// A failure of the measurement ends the measurement, not the target; what
    /// was recorded until then is kept.
    fn outlive<T>(&mut self, result: Result<T>) -> Option<T> {
        result
            .map_err(|error| {
                warn!(%error, "the measurement failed");
                self.broken = true;
                self.caveats.push(Caveat::new(
                    "measurement-failed",
                    format!("the measurement ended before the target: {error}"),
                ));
            })
            .ok()
    }

    /// Begins to measure: the first readings, and the first boundary.
    fn begin(&mut self, observer: &mut Observer<'_>) -> Result<()> {
        self.cpu_before = own_cpu_time();
        let mut attempts = 0;
        let (readings, boundary) = loop {
            self.align();
            let readings = self.reader.read()?;
            let boundary = self.probe.start()?;
            // Energy that is used between the two would be nobody's. Nothing is
            // measured yet, so one can begin again.
            let near = |reading: &Reading| {
                boundary.since(reading.begin) < NEAR && reading.end.since(boundary) < NEAR
            };
            attempts += 1;
            let sound = readings.iter().all(near) && !self.is_overrun(&readings, boundary);
            if attempts == BEGINNINGS || sound {
                break (readings, boundary);
            }
        };
        self.boundary = None;
        self.drain()?;
        self.backlog.forget(boundary);
        let nothing_yet = IntervalAccounts {
            begin: boundary,
            end: boundary,
            ..IntervalAccounts::default()
        };
        let record = self.capture.close(nothing_yet, readings)?;
        observer(&record, self.threads);
        (self.began, self.opened) = (Some(boundary), boundary);
        info!(attempts, "the measurement has begun");
        self.schedule = self.schedule.anew(boundary);
        self.set_boundary();
        Ok(())
    }

    /// Closes an interval, if the measurement has begun.
    fn close(&mut self, observer: &mut Observer<'_>) -> Result<()> {
        if self.began.is_none() {
            self.drain()?;
            self.backlog.forget(clock::now());
            return Ok(());
        }
        // A boundary that was not set in advance follows the readings at once:
        // what runs between the two is charged to the wrong interval.
        let readings = match self.reader.read() {
            Ok(readings) => readings,
            Err(error) => {
                let caveat = Caveat::new(
                    "source-failed",
                    format!("the energy source failed during the run: {error}"),
                );
                // It may go on failing; that is said once.
                if !self.caveats.contains(&caveat) {
                    self.caveats.push(caveat);
                }
                Vec::new()
            }
        };
        let accounts = self.probe.close_interval()?;
        self.overrun = self.is_overrun(&readings, accounts.end);
        self.opened = accounts.end;
        if self.overrun {
            debug!(end = accounts.end.0, "an interval was closed late");
        }
        trace!(
            end = accounts.end.0,
            readings = readings.len(),
            threads = accounts.threads.len(),
            "closed an interval"
        );
        // Before all that takes its time: the next boundary may be near.
        self.set_boundary();
        self.follow_cpus();
        self.drain()?;
        self.follow_strays(&accounts.threads);
        self.backlog.end(accounts, readings);
        self.write_down(false, observer)
    }
}
