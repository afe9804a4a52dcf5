//! The parent's side of a spawn: prepare, spawn, release, reap.
#![expect(
    unsafe_code,
    reason = "making a process inside a cgroup has no safe wrapper"
)]

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg};
use nix::unistd::Pid;
use tracing::info;

use super::cgroup::Cgroup;
use super::clone::{CloneMethod, clone_child};
use super::command::Command;
use super::exec_image::{Image, Pipes, Report, Step, is_path, read_report};
use super::user::Identity;
use crate::error::{Error, ErrorKind, FILES_HINT, Result};

/// A target of which everything is ready but the process.
#[derive(Debug)]
pub struct Prepared {
    image: Image,
    program: OsString,
    cgroup: Option<(OwnedFd, File)>,
    parent_ends: (PipeWriter, PipeReader),
    child_ends: (PipeReader, PipeWriter),
    clone3: bool,
}

/// Prepares `command`, to be cloned into `cgroup` and to run as `identity`
/// says.
///
/// # Errors
///
/// A command that cannot be passed to the kernel, or no file descriptors left.
pub fn prepare(
    mut command: Command,
    cgroup: Option<&Cgroup>,
    identity: &Identity,
) -> Result<Prepared> {
    let none_left = |error: io::Error| {
        Error::new(ErrorKind::Internal, format!("cannot make a pipe: {error}")).hint(FILES_HINT)
    };
    let (go_read, go_write) = pipe().map_err(none_left)?;
    let (report_read, report_write) = pipe().map_err(none_left)?;
    let pipes = Pipes {
        go: go_read.as_raw_fd(),
        report: report_write.as_raw_fd(),
    };
    command.environment = identity.environment(command.environment);
    let image = Image::new(&command, identity, pipes)?;
    let cgroup = cgroup.map(|cgroup| {
        let list = cgroup.path().join("cgroup.procs");
        let list_file = OpenOptions::new()
            .write(true)
            .open(&list)
            .map_err(|error| Error::io("open", &list, &error))?;
        let directory = cgroup
            .directory()
            .try_clone_to_owned()
            .map_err(|error| Error::io("open", cgroup.path(), &error))?;
        Ok((directory, list_file))
    });
    Ok(Prepared {
        image,
        program: command.program,
        cgroup: cgroup.transpose()?,
        parent_ends: (go_write, report_read),
        child_ends: (go_read, report_write),
        clone3: true,
    })
}

impl Prepared {
    /// Goes the way of kernels before 5.7: fork, then enter the cgroup before
    /// anything else. [`Self::spawn`] takes it by itself where it must.
    pub fn without_clone3(mut self) -> Self {
        self.clone3 = false;
        self
    }

    /// Makes the process. It waits, inside the cgroup, to be released.
    ///
    /// # Errors
    ///
    /// Where the kernel makes no process, or lets it not into the cgroup.
    pub fn spawn(mut self) -> Result<Child> {
        let refused = |errno: Errno| {
            Error::new(
                ErrorKind::CannotRun,
                format!("cannot make a process for the target: {}", errno.desc()),
            )
            .hint(match errno {
                Errno::EAGAIN | Errno::ENOMEM => {
                    "raise the limit of processes (ulimit -u, pids.max of the cgroup) or free memory"
                }
                _ => "eprof doctor shows what this machine allows",
            })
        };
        // No handler of eprof may run in the child, and no signal is lost:
        // what is blocked here is delivered when the mask is put back.
        let mask = SigSet::all()
            .thread_swap_mask(SigmaskHow::SIG_SETMASK)
            .map_err(refused)?;
        let cloned = self.clone_child();
        // Putting back a mask that was in force cannot fail.
        let _ = mask.thread_set_mask();
        let (pid, pidfd) = cloned.map_err(refused)?;
        // The child has its own copies; without these here, the end of the
        // report pipe is the end of the child's writing.
        drop(self.child_ends);
        let (go, report) = self.parent_ends;
        if pidfd < 0 {
            // It has not been released, so it ends by itself.
            drop(go);
            let _ = nix::sys::wait::waitpid(Pid::from_raw(pid), None);
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the kernel gives no pidfd for the target",
            )
            .hint("eprof needs Linux 5.8 or later"));
        }
        // SAFETY: the kernel has just made this descriptor for us and nothing
        // else knows it.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Ok(Child {
            pid,
            pidfd,
            go: Some(go),
            report,
            program: self.program,
            runs_as: self.image.user().map(|user| user.label()),
            own_session: self.image.session,
            reaped: None,
        })
    }

    fn clone_child(&mut self) -> Result<(i32, i32), Errno> {
        let directory = self.cgroup.as_ref().map(|(dir, _)| dir.as_raw_fd());
        let list = self.cgroup.as_ref().map(|(_, list)| list.as_raw_fd());
        if self.clone3 {
            // SAFETY: `spawn` has blocked all signals.
            match unsafe { clone_child(&mut self.image, CloneMethod::Clone3(directory)) } {
                // No clone3 (before 5.3), none with a cgroup (before 5.7), or
                // a seccomp filter that knows it not (older containers).
                Err(Errno::ENOSYS | Errno::E2BIG | Errno::EINVAL | Errno::EPERM) => {}
                other => return other,
            }
        }
        // SAFETY: as above.
        unsafe { clone_child(&mut self.image, CloneMethod::Fork(list)) }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitStatus {
    /// Its exit code, or 128 + the signal that killed it, as shells have it.
    pub code: u8,
    /// The number of the signal that killed it; may be a real-time signal.
    pub signal: Option<i32>,
}

impl ExitStatus {
    /// Ended by itself with `code`.
    pub fn exited(code: u8) -> Self {
        Self { code, signal: None }
    }

    /// Killed by the signal with this number.
    pub fn killed(signal: i32) -> Self {
        Self {
            code: signal
                .checked_add(128)
                .and_then(|code| code.try_into().ok())
                .unwrap_or(u8::MAX),
            signal: Some(signal),
        }
    }

    /// The name of the signal that killed it, e.g. `SIGKILL`; real-time
    /// signals have none.
    pub fn signal_name(&self) -> Option<&'static str> {
        Signal::try_from(self.signal?).ok().map(Signal::as_str)
    }
}

/// The root process of the target.
///
/// Dropped before its release, it ends without having run anything of the
/// target; dropped later, it goes on by itself.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
    go: Option<PipeWriter>,
    report: PipeReader,
    program: OsString,
    runs_as: Option<String>,
    own_session: bool,
    reaped: Option<ExitStatus>,
}

impl Child {
    /// Its process id, in eprof's PID namespace.
    pub fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// A descriptor that becomes readable when the process has ended
    /// (pidfd_open(2)).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Sends a signal to the process; without effect where it has ended.
    ///
    /// # Errors
    ///
    /// `EPERM` where the target became somebody whom we may not signal.
    pub fn signal(&self, signal: Signal) -> Result<(), Errno> {
        self.signal_number(signal as i32)
    }

    /// The same for any signal, of which real-time ones have only a number.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn signal_number(&self, signal: i32) -> Result<(), Errno> {
        // SAFETY: the descriptor is an open pidfd, and a null pointer stands
        // for the default siginfo.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        match Errno::result(sent) {
            Ok(_) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Whether it leads a session of its own, so that what is typed at eprof's
    /// terminal does not reach it by itself.
    pub fn has_own_session(&self) -> bool {
        self.own_session
    }

    /// Sends a signal to its process group, which is what a terminal does;
    /// without effect where there is none any more. Only for a child with a
    /// session of its own.
    ///
    /// # Errors
    ///
    /// `EPERM` where the target became somebody whom we may not signal.
    pub fn signal_group(&self, signal: Signal) -> Result<(), Errno> {
        if !self.own_session || self.reaped.is_some() {
            return Ok(());
        }
        match killpg(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Lets the process exec, and waits until it has. A process that was
    /// killed in between counts as released: [`Self::reap`] returns its status.
    ///
    /// # Errors
    ///
    /// Where the program cannot be executed: [`ErrorKind::NotFound`] or
    /// [`ErrorKind::CannotRun`]. The process is then gone and reaped.
    pub fn release(&mut self) -> Result<()> {
        let Some(mut go) = self.go.take() else {
            return Ok(());
        };
        let told = go.write_all(b"!");
        drop(go);
        let mut report = Vec::with_capacity(size_of::<Report>());
        self.report.read_to_end(&mut report).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                format!("cannot learn whether the target started: {error}"),
            )
        })?;
        match (Report::try_from(report).ok().and_then(read_report), told) {
            // A child that was killed meanwhile does not read; one that was not told
            // has ended without running anything.
            (None, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.reap()?;
                Err(Error::new(
                    ErrorKind::CannotRun,
                    format!("the target cannot be told to start: {error}"),
                ))
            }
            (None, _) => {
                info!(pid = self.pid, program = ?self.program, "a process has started");
                Ok(())
            }
            (Some((step, errno)), _) => {
                self.reap()?;
                Err(self.failure(step, errno))
            }
        }
    }

    /// Waits for the end of the process and takes its status. Asked again, it
    /// gives the same.
    ///
    /// # Errors
    ///
    /// Where the status is lost: eprof was started with SIGCHLD ignored and
    /// [`super::SignalSet::block`] was not called.
    pub fn reap(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.reaped {
            return Ok(status);
        }
        let status = wait_for_end(self.pidfd.as_fd()).map_err(|errno| {
            Error::new(
                ErrorKind::Internal,
                format!("the exit status of the target is lost: {}", errno.desc()),
            )
        })?;
        info!(
            pid = self.pid,
            code = status.code,
            signal = status.signal,
            "a process has ended"
        );
        self.reaped = Some(status);
        Ok(status)
    }

    fn failure(&self, step: Step, errno: Errno) -> Error {
        let what = errno.desc();
        let user = self.runs_as.as_deref().unwrap_or("this user");
        match step {
            Step::Exec => self.exec_failure(errno),
            Step::Cgroup => Error::new(
                ErrorKind::CannotRun,
                format!("the target cannot enter its cgroup: {what}"),
            ),
            Step::Limits => Error::new(
                ErrorKind::CannotRun,
                format!("the target cannot be given its own resource limits: {what}"),
            ),
            Step::User => Error::new(
                ErrorKind::CannotRun,
                format!("the target cannot run as {user}: {what}"),
            )
            .hint("run it as root with --as-root, or give eprof CAP_SETUID and CAP_SETGID"),
            Step::Session => Error::new(
                ErrorKind::CannotRun,
                format!("the target cannot be given a session of its own: {what}"),
            ),
            Step::Capabilities => Error::new(
                ErrorKind::CannotRun,
                format!("eprof's capabilities cannot be kept from the target: {what}"),
            ),
        }
    }

    fn exec_failure(&self, errno: Errno) -> Error {
        let program = self.program.to_string_lossy();
        match errno {
            Errno::ENOENT | Errno::ENOTDIR if !is_path(&self.program) => Error::new(
                ErrorKind::NotFound,
                format!("there is no program '{program}' in PATH"),
            )
            .hint(match self.runs_as {
                Some(_) => {
                    "sudo sets a PATH of its own: give the program's full path, or run \
                     sudo env \"PATH=$PATH\" eprof run -- …"
                }
                None => "check the spelling, or give the program's full path",
            }),
            Errno::ENOENT if Path::new(&self.program).exists() => Error::new(
                ErrorKind::CannotRun,
                format!("'{program}' is there, but not the interpreter or loader that it names"),
            )
            .hint(format!("see which: file '{program}'; head -1 '{program}'")),
            Errno::ENOENT | Errno::ENOTDIR => {
                Error::new(ErrorKind::NotFound, format!("there is no file '{program}'"))
            }
            Errno::EACCES => {
                let user = self.runs_as.as_deref().unwrap_or("this user");
                Error::new(
                    ErrorKind::CannotRun,
                    format!("'{program}' may not be executed by {user}"),
                )
                .hint(format!(
                    "chmod +x '{program}', and look at the directories above it and at 'noexec' mounts"
                ))
            }
            Errno::E2BIG => Error::new(
                ErrorKind::CannotRun,
                "the arguments and the environment together are too long".to_owned(),
            ),
            other => Error::new(
                ErrorKind::CannotRun,
                format!("'{program}' cannot be run: {}", other.desc()),
            ),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Without the go it reads the end of the pipe and exits at once.
        if self.go.take().is_some() {
            let _ = self.reap();
        }
    }
}

/// waitid(2) by its own name: the wrapper of nix reaps a process that a
/// real-time signal killed and then has no word for it.
fn wait_for_end(pidfd: BorrowedFd<'_>) -> Result<ExitStatus, Errno> {
    loop {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        let id = pidfd.as_raw_fd().unsigned_abs();
        // SAFETY: the descriptor is an open pidfd; the kernel fills the info.
        let done = unsafe { libc::waitid(libc::P_PIDFD, id, info.as_mut_ptr(), libc::WEXITED) };
        match Errno::result(done) {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        // SAFETY: all zeroes is a valid siginfo, and for a child that ended
        // the status is the member of the union that is set.
        let (code, status) = unsafe {
            let info = info.assume_init();
            (info.si_code, info.si_status())
        };
        return Ok(match code {
            // The kernel keeps eight bits of an exit code.
            libc::CLD_EXITED => ExitStatus::exited((status & 0xff) as u8),
            _ => ExitStatus::killed(status),
        });
    }
}
