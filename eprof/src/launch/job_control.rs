//! What is typed at the terminal, for a target in a session of its own.
//!
//! A terminal signals the processes of its own session only. So eprof, which is
//! there, passes on what the target would have got: keys that interrupt and quit,
//! the key that stops, and the news of another window size. The target's process
//! group has no parent in its session, for which the kernel ignores SIGTSTP;
//! SIGSTOP stops it all the same.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::signal::{Origin, Received};
use super::spawn::Child;

/// Passes `received` on to `child`, where it has a session of its own; tells whether
/// that is all that is to be done about it. Where it was asked to, eprof itself
/// stops here until somebody lets it go on, and the target with it.
///
/// # Errors
///
/// `EPERM` where the target became somebody whom eprof may not signal.
pub(super) fn pass_on(received: Received, child: &Child) -> Result<bool, Errno> {
    if !child.has_own_session() {
        return Ok(false);
    }
    match received.signal {
        Signal::SIGTSTP => {
            child.signal_group(Signal::SIGSTOP)?;
            // Returns when a shell lets eprof go on (fg, bg).
            kill(Pid::this(), Signal::SIGSTOP)?;
            child.signal_group(Signal::SIGCONT)?;
            Ok(true)
        }
        Signal::SIGWINCH => {
            child.signal_group(Signal::SIGWINCH)?;
            Ok(true)
        }
        signal if received.origin == Origin::Terminal => {
            child.signal_group(signal)?;
            Ok(false)
        }
        _ => Ok(false),
    }
}
