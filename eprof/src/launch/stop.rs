//! When and how the target is stopped: a state machine without IO, and the
//! one function that carries out what it decides.
//!
//! * Ctrl-C and the like reach the target by themselves: eprof waits for it
//!   to end, however long it takes, since a program may use Ctrl-C for
//!   something else (an interactive interpreter). Ctrl-\ starts the grace time.
//! * A signal from a process is forwarded to all processes of the target, which are
//!   woken up if they are stopped, and starts the grace time; so does the end of `--duration`, with SIGTERM.
//! * A second such signal, or the end of the grace time, kills it all.

use nix::sys::signal::Signal;

use super::cgroup::Cgroup;
use super::signal::{Origin, Received};
use super::spawn::Child;
use super::tree::{ask_tree, kill_tree};
use crate::error::{Error, ErrorKind, Result};
use crate::unit::{Nanos, Timestamp};

/// How long the target has to end after it was asked to: 5 s.
pub const GRACE: Nanos = Nanos(5_000_000_000);

/// What is to be done to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Send this signal to all of its processes.
    Forward(Signal),
    /// Kill all of its processes.
    Kill,
}

/// Decides when the target is asked to end and when it is made to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    grace: Nanos,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It runs, until that time if any.
    Running(Option<Timestamp>),
    /// It was asked, and is killed at that time.
    Asked(Timestamp),
    /// It was killed.
    Killed,
}

impl Stop {
    /// A target that may run until `end` (`--duration`), or as long as it
    /// likes, and gets `grace` to end when asked.
    pub fn new(grace: Nanos, end: Option<Timestamp>) -> Self {
        Self {
            grace,
            state: State::Running(end),
        }
    }

    /// A signal came to eprof.
    pub fn on_signal(&mut self, received: Received, now: Timestamp) -> Action {
        match (self.state, received.origin) {
            (State::Killed, _) => Action::Nothing,
            (State::Running(_), Origin::Process) => {
                self.ask(now);
                Action::Forward(received.signal)
            }
            (State::Asked(_), Origin::Process) => self.kill(),
            (State::Running(_), Origin::Terminal) => {
                if received.signal == Signal::SIGQUIT {
                    self.ask(now);
                }
                Action::Nothing
            }
            (State::Asked(_), Origin::Terminal) => Action::Nothing,
        }
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Timestamp) -> Action {
        match self.state {
            State::Running(Some(end)) if now >= end => {
                self.ask(now);
                Action::Forward(Signal::SIGTERM)
            }
            State::Asked(kill) if now >= kill => self.kill(),
            State::Running(_) | State::Asked(_) | State::Killed => Action::Nothing,
        }
    }

    /// When [`Self::on_time`] next has something to do.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Running(end) => end,
            State::Asked(kill) => Some(kill),
            State::Killed => None,
        }
    }

    /// Whether the target was asked to end, by eprof or through it.
    pub fn asked(&self) -> bool {
        !matches!(self.state, State::Running(_))
    }

    fn ask(&mut self, now: Timestamp) {
        self.state = State::Asked(now + self.grace);
    }

    fn kill(&mut self) -> Action {
        self.state = State::Killed;
        Action::Kill
    }
}

/// Does `action` to the target. Without a cgroup, it reaches the root
/// process and its descendants, but not those whose parent has ended.
///
/// # Errors
///
/// Where the target became somebody whom eprof may not signal.
pub fn enforce(action: Action, child: &Child, cgroup: Option<&Cgroup>) -> Result<()> {
    match (action, cgroup) {
        (Action::Nothing, _) => Ok(()),
        (Action::Forward(signal), cgroup) => {
            ask_tree(child, cgroup, signal).map_err(|errno| refused(&errno.desc()))
        }
        (Action::Kill, Some(cgroup)) => cgroup.kill().map_err(|error| refused(&error)),
        (Action::Kill, None) => kill_tree(child).map_err(|errno| refused(&errno.desc())),
    }
}

/// Why the target cannot be signalled.
pub(super) fn refused(error: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Permission,
        format!("the target cannot be stopped: {error}"),
    )
    .hint("it runs as another user: stop it as that user, or run eprof as root")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Nanos = Nanos(50);

    fn from(origin: Origin, signal: Signal) -> Received {
        Received { signal, origin }
    }

    #[test]
    fn a_typed_ctrl_c_is_the_targets_own_business() {
        let mut stop = Stop::new(GRACE, None);
        for at in [1, 2, 3, 1000] {
            let action = stop.on_signal(from(Origin::Terminal, Signal::SIGINT), Timestamp(at));
            assert_eq!(action, Action::Nothing);
            assert_eq!(stop.on_time(Timestamp(at + 500)), Action::Nothing);
        }
        assert_eq!(stop.deadline(), None);
        assert!(!stop.asked());
    }

    #[test]
    fn a_sent_signal_is_forwarded_and_the_second_kills() {
        let mut stop = Stop::new(GRACE, None);
        let term = from(Origin::Process, Signal::SIGTERM);
        let int = from(Origin::Process, Signal::SIGINT);
        assert_eq!(
            stop.on_signal(term, Timestamp(10)),
            Action::Forward(Signal::SIGTERM)
        );
        assert_eq!(stop.on_signal(int, Timestamp(11)), Action::Kill);
        assert_eq!(stop.on_signal(int, Timestamp(12)), Action::Nothing);
        assert_eq!(stop.on_time(Timestamp(1000)), Action::Nothing);
        assert_eq!(stop.deadline(), None);
    }

    #[test]
    fn patience_ends_with_the_grace_time_and_not_before() {
        let mut stop = Stop::new(GRACE, None);
        stop.on_signal(from(Origin::Process, Signal::SIGHUP), Timestamp(10));
        assert_eq!(stop.deadline(), Some(Timestamp(60)));
        assert_eq!(stop.on_time(Timestamp(59)), Action::Nothing);
        assert_eq!(stop.on_time(Timestamp(60)), Action::Kill);
        assert_eq!(stop.on_time(Timestamp(61)), Action::Nothing);
    }

    #[test]
    fn the_end_of_the_duration_asks_once_then_kills() {
        let mut stop = Stop::new(GRACE, Some(Timestamp(100)));
        assert_eq!(stop.deadline(), Some(Timestamp(100)));
        assert_eq!(stop.on_time(Timestamp(99)), Action::Nothing);
        assert_eq!(
            stop.on_time(Timestamp(103)),
            Action::Forward(Signal::SIGTERM)
        );
        assert_eq!(stop.deadline(), Some(Timestamp(153)));
        assert_eq!(stop.on_time(Timestamp(152)), Action::Nothing);
        assert_eq!(stop.on_time(Timestamp(153)), Action::Kill);
    }

    #[test]
    fn a_typed_quit_is_not_repeated_but_not_waited_for_forever() {
        let mut stop = Stop::new(GRACE, None);
        let quit = from(Origin::Terminal, Signal::SIGQUIT);
        assert_eq!(stop.on_signal(quit, Timestamp(10)), Action::Nothing);
        assert_eq!(stop.on_signal(quit, Timestamp(30)), Action::Nothing);
        assert_eq!(stop.on_time(Timestamp(60)), Action::Kill);
    }
}
