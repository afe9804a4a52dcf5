//! Waiting for what comes next: a signal, the end of the target, a deadline,
//! an alarm, or data.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::signal::{Arrival, Received, SignalSet};
use super::spawn::Child;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::unit::Timestamp;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// eprof received a signal that asks for an end, or that a terminal sent which
    /// the target does not hear.
    Signal(Received),
    /// One that is for the target, by its number.
    Passing(i32),
    /// The root process of the target has ended; from now on it is always this.
    Exited,
    /// The time set by [`Waiter::set_deadline`] has come; returned once.
    Deadline,
    /// The time set by [`Waiter::set_alarm`] has come; returned once.
    Alarm,
    /// The descriptor at this position of the list is readable.
    Ready(usize),
    /// What the descriptor at this position told of is over: it will never be
    /// readable again, and is not to be asked about any more.
    Over(usize),
}

/// Returns events one at a time, the urgent first, without polling. Times are
/// on CLOCK_MONOTONIC, and are kept without the kernel's timer slack.
#[derive(Debug)]
pub struct Waiter {
    deadline: TimerFd,
    alarm: TimerFd,
}

impl Waiter {
    /// Without a deadline or an alarm.
    ///
    /// # Errors
    ///
    /// No file descriptor left.
    pub fn new() -> Result<Self> {
        let timer = || {
            let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
            TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(refused)
        };
        Ok(Self {
            deadline: timer()?,
            alarm: timer()?,
        })
    }

    /// Sets the deadline, or none; replaces the last.
    ///
    /// # Errors
    ///
    /// What the kernel said; there is no expected cause.
    pub fn set_deadline(&mut self, at: Option<Timestamp>) -> Result<()> {
        set(&self.deadline, at)
    }

    /// Sets the alarm, or none; replaces the last.
    ///
    /// # Errors
    ///
    /// What the kernel said; there is no expected cause.
    pub fn set_alarm(&mut self, at: Option<Timestamp>) -> Result<()> {
        set(&self.alarm, at)
    }

    /// Waits for the next event. Of several at once, the order is: signal,
    /// end of the target, deadline, alarm, data in the order of `readable`.
    ///
    /// # Errors
    ///
    /// What the kernel said; there is no expected cause.
    pub fn next(
        &mut self,
        child: &Child,
        signals: &SignalSet,
        readable: &[BorrowedFd<'_>],
    ) -> Result<Event> {
        loop {
            let fixed = [
                signals.as_fd(),
                child.pidfd(),
                self.deadline.as_fd(),
                self.alarm.as_fd(),
            ];
            let mut files: Vec<_> = fixed
                .into_iter()
                .chain(readable.iter().copied())
                .map(|file| PollFd::new(file, PollFlags::POLLIN))
                .collect();
            match poll(&mut files, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                other => other.map_err(refused)?,
            };
            let ready: Vec<_> = files
                .iter()
                .enumerate()
                .filter(|(_, file)| file.any().unwrap_or(true))
                .map(|(position, file)| {
                    let events = file.revents().unwrap_or(PollFlags::POLLIN);
                    (position, events.contains(PollFlags::POLLIN))
                })
                .collect();
            for (position, readable) in ready {
                if let Some(event) = self.event(position, readable, signals) {
                    return Ok(event);
                }
            }
        }
    }

    /// The event at one position of the poll list; `None` for a false alarm.
    fn event(&mut self, position: usize, readable: bool, signals: &SignalSet) -> Option<Event> {
        match position {
            0 => signals.take().map(|arrival| match arrival {
                Arrival::Asking(received) | Arrival::JobControl(received) => {
                    Event::Signal(received)
                }
                Arrival::Passing(number) => Event::Passing(number),
            }),
            1 => Some(Event::Exited),
            2 => (expirations(&self.deadline) > 0).then_some(Event::Deadline),
            3 => (expirations(&self.alarm) > 0).then_some(Event::Alarm),
            other if readable => Some(Event::Ready(other - 4)),
            other => Some(Event::Over(other - 4)),
        }
    }
}

fn set(timer: &TimerFd, at: Option<Timestamp>) -> Result<()> {
    match at {
        None => timer.unset(),
        // A time that has passed fires at once, but zero would disarm.
        Some(at) => timer.set(
            Expiration::OneShot(time_spec(clock::as_seen_here(at).0.max(1))),
            TimerSetTimeFlags::TFD_TIMER_ABSTIME,
        ),
    }
    .map_err(refused)
}

/// How often a timer expired since the last asking (timerfd_create(2)).
fn expirations(timer: &TimerFd) -> u64 {
    let mut count = [0; 8];
    match nix::unistd::read(timer, &mut count) {
        Ok(8) => u64::from_ne_bytes(count),
        _ => 0,
    }
}

fn time_spec(nanos: u64) -> TimeSpec {
    TimeSpec::from_duration(std::time::Duration::from_nanos(nanos))
}

fn refused(errno: Errno) -> Error {
    let sentence = format!("cannot wait for the target: {}", errno.desc());
    Error::new(ErrorKind::Internal, sentence).hint_at(&errno.into())
}
