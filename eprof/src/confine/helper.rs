//! The side that asks: starting a helper, sending it work, and its end.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::inbox::Inbox;
use super::pass;
use crate::unit::Nanos;

/// How much is read of an answer at a time.
const PIECE: usize = 64 << 10;

/// How much is read of a helper before others have their turn.
const MOST_PIECES: usize = 64;

/// What a helper sees of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Nothing.
    Nothing,
    /// All variables.
    Environment,
}

/// A process that this one started to do something for it. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Helper {
    child: Child,
    socket: UnixStream,
    inbox: Inbox,
}

impl Helper {
    /// Starts `program`, which is eprof, with the `word` that makes it a helper.
    ///
    /// # Errors
    ///
    /// Where no process, or no socket to it, can be had.
    pub(crate) fn start(program: &Path, word: &str, sight: Sight) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let mut command = Command::new(program);
        command
            .arg(word)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A key on the terminal is for eprof, which then ends the helper.
            .process_group(0);
        if sight == Sight::Nothing {
            command.env_clear();
        }
        Ok(Self {
            child: command.spawn()?,
            socket,
            inbox: Inbox::default(),
        })
    }

    /// Sends `message`, and with it a file.
    ///
    /// # Errors
    ///
    /// Where the helper is gone or does not listen.
    pub(crate) fn send(&self, message: &impl Serialize, file: Option<&File>) -> io::Result<()> {
        let packed = pass::pack(message)?;
        let files: Vec<&File> = std::iter::once(&packed).chain(file).collect();
        pass::send(&self.socket, &files)
    }

    /// The answers that have come, and whether more may come. Does not wait.
    ///
    /// # Errors
    ///
    /// Something that no helper says.
    pub(crate) fn answers<T: DeserializeOwned>(&mut self) -> io::Result<(Vec<T>, bool)> {
        let mut piece = vec![0; PIECE];
        let mut open = true;
        for _ in 0..MOST_PIECES {
            match self.socket.read(&mut piece) {
                Ok(0) => {
                    open = false;
                    break;
                }
                Ok(length) => self.inbox.push(piece.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Ended with something unread.
                Err(_) => {
                    open = false;
                    break;
                }
            }
        }
        Ok((self.inbox.take()?, open))
    }

    /// How much CPU time it used; `None` where it is gone.
    pub(crate) fn cpu(&self) -> Option<Nanos> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).ok()?);
        let used = clock_getcpuclockid(pid).ok()?.now().ok()?;
        let seconds = u64::try_from(used.tv_sec()).ok()?;
        let rest = u64::try_from(used.tv_nsec()).ok()?;
        Some(Nanos(
            seconds.saturating_mul(1_000_000_000).saturating_add(rest),
        ))
    }

    /// Ends it: its exit code, or the signal that ended it, if that was not this call.
    pub(crate) fn end(mut self) -> Ended {
        // Where it ended by itself, that stays so.
        let before = self.child.try_wait().ok().flatten();
        let status = before.or_else(|| {
            // It has closed its end, which is the last thing a process does.
            self.stop()
        });
        Ended {
            code: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()),
        }
    }

    /// Kills it. Where that is refused, it ends when nobody speaks to it any more.
    fn stop(&mut self) -> Option<ExitStatus> {
        let _ = self.socket.shutdown(Shutdown::Both);
        let _ = self.child.kill();
        self.child.wait().ok()
    }
}

/// How a helper ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// The signal that killed it.
    pub(crate) signal: Option<i32>,
}

impl AsFd for Helper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.stop();
    }
}
