//! Signals to eprof, read one by one where the event loop wants them.
#![expect(unsafe_code, reason = "setting a signal's action has no safe wrapper")]

use std::fs;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::{Error, ErrorKind, Result};

/// The signals that ask eprof to come to an end.
const HANDLED: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// The signals that eprof takes only for a target in a session of its own.
const JOB_CONTROL: [Signal; 2] = [Signal::SIGTSTP, Signal::SIGWINCH];

/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The kernel, for the terminal: a key was typed, or the line hung up.
    /// The target is in the same process group and has got it as well.
    Terminal,
    /// A process, by kill(2): meant for eprof.
    Process,
}

/// A signal that eprof received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub signal: Signal,
    /// From whom.
    pub origin: Origin,
}

/// SIGINT, SIGTERM, SIGHUP and SIGQUIT, blocked and made readable.
///
/// One that eprof was started with as ignored (nohup, a job in the
/// background) stays so. eprof learns the end of the target not by SIGCHLD but by
/// its pidfd.
#[derive(Debug)]
pub struct SignalSet {
    descriptor: SignalFd,
    original: SigSet,
}

impl SignalSet {
    /// Blocks the signals in this thread and those it creates from now on: to
    /// be called before any other thread exists. Also sees to it that the
    /// status of children is kept, should SIGCHLD have been ignored.
    ///
    /// # Errors
    ///
    /// No file descriptor left.
    pub fn block() -> Result<Self> {
        let ignored = ignored();
        let mut set = SigSet::empty();
        for signal in HANDLED {
            // A blocked signal is queued even if it is ignored (sig_ignored
            // in kernel/signal.c), so it must not be blocked.
            if ignored & (1 << (signal as i32 - 1)) == 0 {
                set.add(signal);
            }
        }
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        // SAFETY: the default action runs no code of ours.
        unsafe { sigaction(Signal::SIGCHLD, &default) }.map_err(refused)?;
        let original = set
            .thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .map_err(refused)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let descriptor = SignalFd::with_flags(&set, flags).map_err(refused)?;
        Ok(Self {
            descriptor,
            original,
        })
    }

    /// Takes charge of what stops eprof at a terminal, too, for a target in a session
    /// of its own. To be called before any other thread exists.
    ///
    /// # Errors
    ///
    /// What the kernel said; there is no expected cause.
    pub fn take_job_control(&self) -> Result<()> {
        let mut set = SigSet::thread_get_mask().map_err(refused)?;
        for signal in JOB_CONTROL {
            set.add(signal);
        }
        let mut readable = SigSet::empty();
        for signal in HANDLED.into_iter().chain(JOB_CONTROL) {
            if set.contains(signal) {
                readable.add(signal);
            }
        }
        set.thread_set_mask().map_err(refused)?;
        let descriptor = self.descriptor.as_fd().as_raw_fd();
        // SAFETY: the descriptor is an open signalfd, whose set is replaced by
        // another one, which lives through the call.
        Errno::result(unsafe { libc::signalfd(descriptor, readable.as_ref(), 0) })
            .map(drop)
            .map_err(refused)
    }

    /// The signal mask that eprof was started with, which is the target's.
    pub fn original_mask(&self) -> SigSet {
        self.original
    }

    /// The next signal that has come; `None` where there is none.
    pub fn next(&self) -> Option<Received> {
        let info = self.descriptor.read_signal().ok().flatten()?;
        let number = i32::try_from(info.ssi_signo).ok()?;
        Some(Received {
            signal: Signal::try_from(number).ok()?,
            // Positive codes are the kernel's own (sigaction(2), si_code).
            origin: if info.ssi_code > 0 {
                Origin::Terminal
            } else {
                Origin::Process
            },
        })
    }
}

impl AsFd for SignalSet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for SignalSet {
    /// Forgets what has come and was not read (it was meant for the run that
    /// is over), and puts the mask back.
    fn drop(&mut self) {
        while let Ok(Some(_)) = self.descriptor.read_signal() {}
        // Putting back a mask that was in force cannot fail.
        let _ = self.original.thread_set_mask();
    }
}

fn refused(errno: Errno) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("cannot take charge of signals: {}", errno.desc()),
    )
}

/// The signals that this process ignores, bit n−1 for signal n (`SigIgn` in
/// proc(5)); none where that cannot be read.
fn ignored() -> u64 {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let set = status
                .lines()
                .find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(set.trim(), 16).ok()
        })
        .unwrap_or(0)
}
