//! Waiting for a child, and ending it when that is asked for.

use std::os::fd::BorrowedFd;

use nix::sys::signal::Signal;
use tracing::{debug, info};

use super::cgroup::Cgroup;
use super::job_control;
use super::signal::SignalSet;
use super::spawn::Child;
use super::stop::{self, Action, Stop, enforce};
use super::wait::{Event, Waiter};
use crate::clock;
use crate::error::Result;
use crate::unit::Timestamp;

/// A child that was released, and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Supervised<'a> {
    /// The root process.
    pub child: &'a Child,
    /// The signals that ask for its end.
    pub signals: &'a SignalSet,
    /// The cgroup of all its processes, where it has one.
    pub cgroup: Option<&'a Cgroup>,
}

/// Why [`Supervisor::next`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// The child has ended; from now on it is always this.
    Exited,
    /// The time of the alarm has come; returned once.
    Alarm,
    /// The descriptor at this position of the list is readable.
    Ready(usize),
    /// It never will be any more.
    Over(usize),
}

/// Waits for a child, and stops it as [`Stop`] decides.
#[derive(Debug)]
pub struct Supervisor {
    waiter: Waiter,
    stop: Stop,
    interrupted: Option<Signal>,
}

impl Supervisor {
    /// Of a child that may run until `end`, or as long as it likes. To be made
    /// before the child is released, since it can fail.
    ///
    /// # Errors
    ///
    /// No file descriptor left.
    pub fn new(end: Option<Timestamp>) -> Result<Self> {
        Ok(Self {
            waiter: Waiter::new()?,
            stop: Stop::new(stop::GRACE, end),
            interrupted: None,
        })
    }

    /// Waits for the next thing that the caller does something about.
    ///
    /// # Errors
    ///
    /// Where the child became somebody whom eprof may not signal.
    pub fn next(
        &mut self,
        of: Supervised<'_>,
        alarm: Option<Timestamp>,
        readable: &[BorrowedFd<'_>],
    ) -> Result<Wakeup> {
        self.waiter.set_alarm(alarm)?;
        loop {
            self.waiter.set_deadline(self.stop.deadline())?;
            let action = match self.waiter.next(of.child, of.signals, readable)? {
                Event::Exited => return Ok(Wakeup::Exited),
                Event::Alarm => return Ok(Wakeup::Alarm),
                Event::Ready(at) => return Ok(Wakeup::Ready(at)),
                Event::Over(at) => return Ok(Wakeup::Over(at)),
                Event::Passing(number) => {
                    debug!(number, "passes a signal on");
                    // A target that may not be signalled does without.
                    let _ = of.child.signal_number(number);
                    continue;
                }
                Event::Signal(received) => {
                    debug!(signal = %received.signal, origin = ?received.origin, "received a signal");
                    let passed = job_control::pass_on(received, of.child);
                    if passed.map_err(|errno| stop::refused(&errno.desc()))? {
                        continue;
                    }
                    self.interrupted = Some(received.signal);
                    self.stop.on_signal(received, clock::now())
                }
                Event::Deadline => self.stop.on_time(clock::now()),
            };
            if action != Action::Nothing {
                info!(?action, "stopping the target");
            }
            enforce(action, of.child, of.cgroup)?;
        }
    }

    /// Waits until the child has ended.
    ///
    /// # Errors
    ///
    /// As [`Self::next`].
    pub fn until_exit(&mut self, of: Supervised<'_>) -> Result<()> {
        while self.next(of, None, &[])? != Wakeup::Exited {}
        Ok(())
    }

    /// The last signal that asked for an end, if any did.
    pub fn interrupted(&self) -> Option<Signal> {
        self.interrupted
    }
}
