//! What the child does between clone and exec.
//!
//! The child is a copy of a process that may have had other threads, so until
//! it execs it may call async-signal-safe functions only (signal-safety(7)):
//! no allocation, no locks, no destructors. All that it needs was laid out
//! beforehand in an [`Image`].
#![expect(
    unsafe_code,
    reason = "the code between clone and exec is system calls on prepared memory"
)]

use std::ffi::{c_char, c_int, c_uint};
use std::os::fd::RawFd;

use nix::errno::Errno;

use super::credentials;
use super::exec_image::{Image, Report, Step};
use super::signal::is_ignored_for_eprof;

/// The highest signal number on all ports but MIPS (signal(7)).
const LAST_SIGNAL: c_int = 64;

/// How many file descriptors are closed one by one at most, on kernels
/// before 5.9, which lack `close_range`.
const CLOSE_ONE_BY_ONE: c_uint = 1 << 16;

impl Image {
    /// Runs the child until exec. `cgroup` is its `cgroup.procs`, unless it was
    /// cloned into the cgroup.
    ///
    /// # Safety
    ///
    /// To be called only in a freshly cloned child with one thread and its
    /// own copy of the memory, with all signals blocked.
    pub(super) unsafe fn run_child(&mut self, cgroup: Option<RawFd>) -> ! {
        let failure = match cgroup.map_or(Ok(()), join_cgroup) {
            Err(errno) => (Step::Cgroup, errno),
            Ok(()) => {
                reset_signals(&self.mask);
                redirect(&self.redirected);
                close_files(&self.close);
                if !wait_for_go(self.pipes.go) {
                    exit();
                }
                self.prepare()
                    .err()
                    .unwrap_or_else(|| (Step::Exec, self.execute()))
            }
        };
        let (step, errno) = failure;
        let mut report: Report = [step as u8, 0, 0, 0, 0, 0, 0, 0];
        for (to, from) in report.iter_mut().skip(4).zip((errno as i32).to_ne_bytes()) {
            *to = from;
        }
        // SAFETY: the buffer is live and of that length. Nothing can be done
        // about a failed write: the parent then sees an exit without exec.
        let _ = unsafe { libc::write(self.pipes.report, report.as_ptr().cast(), report.len()) };
        exit()
    }

    fn prepare(&self) -> Result<(), (Step, Errno)> {
        for (resource, limit) in &self.limits {
            // SAFETY: the call reads one live rlimit64 and writes none.
            let done = unsafe {
                libc::syscall(
                    libc::SYS_prlimit64,
                    0,
                    *resource,
                    &raw const *limit,
                    std::ptr::null_mut::<libc::rlimit64>(),
                )
            };
            Errno::result(done).map_err(|errno| (Step::Limits, errno))?;
        }
        if self.session {
            // SAFETY: the call takes nothing. The child of a clone leads no process
            // group, so that it may begin a session.
            Errno::result(unsafe { libc::setsid() }).map_err(|errno| (Step::Session, errno))?;
        }
        if let Some(user) = &self.user {
            // The user last: only root may change the groups.
            credentials::set_groups(&user.groups)
                .and_then(|()| credentials::set_group(user.gid))
                .and_then(|()| credentials::set_user(user.uid))
                .map_err(|errno| (Step::User, errno))?;
        }
        credentials::drop_inheritable().map_err(|errno| (Step::Capabilities, errno))
    }

    /// Tries the candidates in turn, by the rules of `execvp` (exec(3)):
    /// what is not there is passed over, what may not be executed is
    /// remembered, anything else ends the search. Returns only on failure.
    fn execute(&mut self) -> Errno {
        let mut worst = Errno::ENOENT;
        for index in 0..self.candidates.len() {
            let Some(file) = self.candidates.get(index) else {
                break;
            };
            let file = file.as_ptr();
            let mut errno = exec(file, &self.arguments.pointers, &self.environment.pointers);
            if errno == Errno::ENOEXEC {
                if let Some(script) = self.shell_arguments.pointers.get_mut(1) {
                    *script = file;
                }
                let arguments = &self.shell_arguments.pointers;
                errno = exec(self.shell.as_ptr(), arguments, &self.environment.pointers);
            }
            match errno {
                Errno::ENOENT
                | Errno::ENOTDIR
                | Errno::ESTALE
                | Errno::ENODEV
                | Errno::ETIMEDOUT => {}
                // A directory of PATH that the user may not search (root's
                // own, kept by sudo -E) holds nothing for them.
                Errno::EACCES if self.searching && !exists(file) => {}
                Errno::EACCES => worst = Errno::EACCES,
                other => return other,
            }
        }
        worst
    }
}

/// Writing 0 to `cgroup.procs` moves the writer.
fn join_cgroup(list: RawFd) -> Result<(), Errno> {
    // SAFETY: one byte of a static string is written.
    Errno::result(unsafe { libc::write(list, c"0".as_ptr().cast(), 1) }).map(drop)
}

/// Gives every handled signal its default action, and those that only eprof
/// ignores, too; what eprof's caller ignored (nohup) stays ignored.
/// Then unblocks all but `mask`.
fn reset_signals(mask: &libc::sigset_t) {
    for signal in 1..=LAST_SIGNAL {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: all zeroes is a valid sigaction (SIG_DFL, no flags), and the
        // call fills it or fails (for the two signals of the thread library).
        let action = unsafe {
            if libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) != 0 {
                continue;
            }
            action.assume_init_mut()
        };
        if action.sa_sigaction != libc::SIG_IGN || is_ignored_for_eprof(signal) {
            action.sa_sigaction = libc::SIG_DFL;
            action.sa_flags = 0;
            // SAFETY: the action is initialised, its handler the default.
            unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) };
        }
    }
    // SAFETY: the mask is initialised; the thread is the only one.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}

/// Makes files standard streams. It fails for no file that is open.
fn redirect(files: &[(RawFd, RawFd)]) {
    for &(file, stream) in files {
        // SAFETY: the files are kept open by the image; nothing in this process
        // uses the standard streams before the exec.
        unsafe { libc::dup2(file, stream) };
    }
}

fn close_files(ranges: &[(c_uint, c_uint)]) {
    for &(first, last) in ranges {
        // SAFETY: nothing in this process uses these descriptors any more: it
        // runs no destructors and ends by exec or _exit.
        let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        if done != 0 {
            for file in first..=last.min(CLOSE_ONE_BY_ONE) {
                // SAFETY: as above.
                unsafe { libc::close(file as c_int) };
            }
        }
    }
}

/// Blocks until the parent says go; false where it ended instead.
fn wait_for_go(pipe: RawFd) -> bool {
    let mut byte = 0_u8;
    loop {
        // SAFETY: one byte is read into a live byte.
        let got = unsafe { libc::read(pipe, (&raw mut byte).cast(), 1) };
        if got >= 0 || Errno::last() != Errno::EINTR {
            return got == 1;
        }
    }
}

fn exec(file: *const c_char, arguments: &[*const c_char], environment: &[*const c_char]) -> Errno {
    // SAFETY: the file is a C string, both lists end with a null and point to
    // C strings, and all of them are owned by the image, which is alive.
    unsafe { libc::execve(file, arguments.as_ptr(), environment.as_ptr()) };
    Errno::last()
}

/// Whether the file is there, as far as this user can see.
fn exists(file: *const c_char) -> bool {
    // SAFETY: the file is a C string owned by the image.
    unsafe { libc::access(file, libc::F_OK) == 0 }
}

/// Ends the child without running anything of the parent's at exit. The
/// status is seen by nobody but the parent's [`super::Child`].
fn exit() -> ! {
    // SAFETY: _exit is always safe.
    unsafe { libc::_exit(127) }
}
