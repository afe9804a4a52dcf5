//! Signals to eprof, read one by one where the event loop wants them.
#![expect(unsafe_code, reason = "setting a signal's action has no safe wrapper")]

use std::fs;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use nix::errno::Errno;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, raise, sigaction,
};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::{Error, ErrorKind, Result};

/// The signals that ask eprof to come to an end.
const ASKING: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// Signals that would end eprof, and mean nothing to it: the target is what they are
/// for. So are the real-time signals.
const PASSING: [Signal; 9] = [
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGSTKFLT,
    Signal::SIGXCPU,
];

/// The signals that eprof takes only for a target in a session of its own.
const JOB_CONTROL: [Signal; 2] = [Signal::SIGTSTP, Signal::SIGWINCH];

/// Whether SIGXFSZ had its default action before eprof ignored it.
static FILE_SIZE_WAS_DEFAULT: AtomicBool = AtomicBool::new(false);

/// Makes a file that grows beyond `ulimit -f` an error of the write, as a full
/// disk is, and not the end of eprof. The target gets back what eprof had.
pub fn survive_file_size_limit() {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: ignoring a signal runs no code of ours.
    let before = unsafe { sigaction(Signal::SIGXFSZ, &ignore) };
    let was_default = before.is_ok_and(|before| matches!(before.handler(), SigHandler::SigDfl));
    FILE_SIZE_WAS_DEFAULT.store(was_default, Relaxed);
}

/// Whether this signal has its default action in the target although eprof ignores
/// it: SIGPIPE, which the Rust runtime ignores, and SIGXFSZ. Async-signal-safe.
pub(super) fn is_ignored_for_eprof(signal: libc::c_int) -> bool {
    signal == libc::SIGPIPE || (signal == libc::SIGXFSZ && FILE_SIZE_WAS_DEFAULT.load(Relaxed))
}

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

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A signal that asks eprof to come to an end.
    Asking(Received),
    /// One, by its number, that is for the target.
    Passing(i32),
    /// What a terminal says to eprof and not to a target in a session of its own.
    JobControl(Received),
}

/// SIGINT, SIGTERM, SIGHUP and SIGQUIT, and those that would end eprof although they
/// are for the target, blocked and made readable.
///
/// One that eprof was started with as ignored (nohup, a job in the
/// background) stays so. eprof learns the end of the target not by SIGCHLD but by
/// its pidfd.
#[derive(Debug)]
pub struct SignalSet {
    descriptor: SignalFd,
    original: SigSet,
    /// What is readable without [`take_job_control`](Self::take_job_control).
    usual: SigSet,
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
        let taken = heeded();
        let mut set = SigSet::empty();
        for signal in ASKING.into_iter().chain(PASSING) {
            if taken(signal as i32) {
                set.add(signal);
            }
        }
        let set = with_real_time(set, taken);
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
            usual: set,
        })
    }

    /// Takes charge of what stops eprof at a terminal, too, for a target in a session
    /// of its own. To be called before any other thread exists.
    ///
    /// # Errors
    ///
    /// What the kernel said; there is no expected cause.
    pub fn take_job_control(&self) -> Result<()> {
        let taken = heeded();
        let mut readable = self.usual;
        for signal in JOB_CONTROL {
            if taken(signal as i32) {
                readable.add(signal);
            }
        }
        readable.thread_block().map_err(refused)?;
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
    pub fn take(&self) -> Option<Arrival> {
        let info = self.descriptor.read_signal().ok().flatten()?;
        let number = i32::try_from(info.ssi_signo).ok()?;
        let received = |signal| Received {
            signal,
            // Positive codes are the kernel's own (sigaction(2), si_code).
            origin: if info.ssi_code > 0 {
                Origin::Terminal
            } else {
                Origin::Process
            },
        };
        Some(match Signal::try_from(number) {
            Ok(signal) if ASKING.contains(&signal) => Arrival::Asking(received(signal)),
            Ok(signal) if JOB_CONTROL.contains(&signal) => Arrival::JobControl(received(signal)),
            _ => Arrival::Passing(number),
        })
    }

    /// The next one that asks for an end, where there is no target to which the
    /// others could be passed on. The key that stops stops eprof.
    pub fn next(&self) -> Option<Received> {
        loop {
            match self.take()? {
                Arrival::Asking(received) => return Some(received),
                Arrival::JobControl(received) if received.signal == Signal::SIGTSTP => {
                    // Without effect it goes on, which is no harm.
                    let _ = raise(Signal::SIGSTOP);
                }
                Arrival::JobControl(_) | Arrival::Passing(_) => {}
            }
        }
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
        while self.take().is_some() {}
        // Putting back a mask that was in force cannot fail.
        let _ = self.original.thread_set_mask();
    }
}

/// `set`, and those real-time signals that are `taken`, for which nix has no names.
fn with_real_time(set: SigSet, taken: impl Fn(i32) -> bool) -> SigSet {
    let mut raw = *set.as_ref();
    for signal in (libc::SIGRTMIN()..=libc::SIGRTMAX()).filter(|signal| taken(*signal)) {
        // SAFETY: the set is initialised, and that signal exists.
        unsafe { libc::sigaddset(&raw mut raw, signal) };
    }
    // SAFETY: the set was made by the library's own functions.
    unsafe { SigSet::from_sigset_t_unchecked(raw) }
}

fn refused(errno: Errno) -> Error {
    let sentence = format!("cannot take charge of signals: {}", errno.desc());
    Error::new(ErrorKind::Internal, sentence).hint_at(&errno.into())
}

/// Whether this process does not ignore a signal. A blocked signal is queued even if
/// it is ignored (`sig_ignored` in kernel/signal.c), so that it must not be blocked.
fn heeded() -> impl Fn(i32) -> bool {
    let ignored = ignored();
    move |signal| ignored & (1 << (signal - 1)) == 0
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
