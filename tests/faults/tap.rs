//! Runs a program whose system calls are handed to this process.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::seccomp::{answer, load, unless};

/// How long a run may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the program has the filter's descriptor until it is taken from it.
const LISTENER: i32 = 200;

/// Who has called sudo: nobody.
pub const CALLER: u32 = 65534;

/// A kind of system call, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind(pub i64);

/// What fails: one of a kind, counted from one.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub kind: Kind,
    pub at: u64,
}

impl Fault {
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = nix::errno::Errno::from_raw(self.kind.errno());
        write!(f, "{} no. {} fails with {errno:?}", self.name(), self.at)
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub status: ExitStatus,
    pub stderr: String,
    pub hung: bool,
    pub orphan: bool,
    pub fault: Option<Fault>,
    /// Whether the fault came about.
    pub struck: bool,
    /// Whether it hit a write to standard error.
    pub stderr_failed: bool,
    /// How often each kind was called after the program's own beginning.
    pub calls: BTreeMap<i64, u64>,
}

/// Kinds of calls, and how they fail where something has run out. Others fail with
/// `ENOMEM`.
#[rustfmt::skip]
const KINDS: &[(i64, &str, i32)] = &[
    (libc::SYS_openat, "openat", libc::EMFILE),
    (libc::SYS_open, "open", libc::EMFILE),
    (libc::SYS_read, "read", libc::EIO),
    (libc::SYS_pread64, "pread64", libc::EIO),
    (libc::SYS_readv, "readv", libc::EIO),
    (libc::SYS_write, "write", libc::ENOSPC),
    (libc::SYS_writev, "writev", libc::ENOSPC),
    (libc::SYS_pwrite64, "pwrite64", libc::ENOSPC),
    (libc::SYS_mmap, "mmap", libc::ENOMEM),
    (libc::SYS_mremap, "mremap", libc::ENOMEM),
    (libc::SYS_brk, "brk", libc::ENOMEM),
    (libc::SYS_mprotect, "mprotect", libc::ENOMEM),
    (libc::SYS_clone, "clone", libc::EAGAIN),
    (libc::SYS_clone3, "clone3", libc::EAGAIN),
    (libc::SYS_perf_event_open, "perf_event_open", libc::EMFILE),
    (libc::SYS_bpf, "bpf", libc::ENOMEM),
    (libc::SYS_ioctl, "ioctl", libc::ENOMEM),
    (libc::SYS_fcntl, "fcntl", libc::EMFILE),
    (libc::SYS_dup, "dup", libc::EMFILE),
    (libc::SYS_dup3, "dup3", libc::EMFILE),
    (libc::SYS_poll, "poll", libc::ENOMEM),
    (libc::SYS_ppoll, "ppoll", libc::ENOMEM),
    (libc::SYS_epoll_create1, "epoll_create1", libc::EMFILE),
    (libc::SYS_epoll_ctl, "epoll_ctl", libc::ENOSPC),
    (libc::SYS_epoll_wait, "epoll_wait", libc::EIO),
    (libc::SYS_epoll_pwait, "epoll_pwait", libc::EIO),
    (libc::SYS_timerfd_create, "timerfd_create", libc::EMFILE),
    (libc::SYS_timerfd_settime, "timerfd_settime", libc::ENOMEM),
    (libc::SYS_signalfd4, "signalfd4", libc::EMFILE),
    (libc::SYS_pipe2, "pipe2", libc::EMFILE),
    (libc::SYS_memfd_create, "memfd_create", libc::EMFILE),
    (libc::SYS_eventfd2, "eventfd2", libc::EMFILE),
    (libc::SYS_newfstatat, "newfstatat", libc::ENOMEM),
    (libc::SYS_fstat, "fstat", libc::EIO),
    (libc::SYS_statx, "statx", libc::ENOMEM),
    (libc::SYS_lseek, "lseek", libc::EIO),
    (libc::SYS_ftruncate, "ftruncate", libc::ENOSPC),
    (libc::SYS_fsync, "fsync", libc::EIO),
    (libc::SYS_rename, "rename", libc::ENOSPC),
    (libc::SYS_renameat2, "renameat2", libc::ENOSPC),
    (libc::SYS_unlink, "unlink", libc::EIO),
    (libc::SYS_unlinkat, "unlinkat", libc::EIO),
    (libc::SYS_mkdir, "mkdir", libc::ENOSPC),
    (libc::SYS_mkdirat, "mkdirat", libc::ENOSPC),
    (libc::SYS_rmdir, "rmdir", libc::EIO),
    (libc::SYS_getdents64, "getdents64", libc::EIO),
    (libc::SYS_readlink, "readlink", libc::ENOMEM),
    (libc::SYS_readlinkat, "readlinkat", libc::ENOMEM),
    (libc::SYS_access, "access", libc::ENOMEM),
    (libc::SYS_faccessat2, "faccessat2", libc::ENOMEM),
    (libc::SYS_flock, "flock", libc::ENOLCK),
    (libc::SYS_waitid, "waitid", libc::ENOMEM),
    (libc::SYS_wait4, "wait4", libc::ENOMEM),
    (libc::SYS_pidfd_send_signal, "pidfd_send_signal", libc::EPERM),
    (libc::SYS_kill, "kill", libc::EPERM),
    (libc::SYS_prlimit64, "prlimit64", libc::EPERM),
    (libc::SYS_sched_setscheduler, "sched_setscheduler", libc::EPERM),
    (libc::SYS_sched_setattr, "sched_setattr", libc::EPERM),
    (libc::SYS_setpriority, "setpriority", libc::EPERM),
    (libc::SYS_sched_getaffinity, "sched_getaffinity", libc::EINVAL),
    (libc::SYS_getrandom, "getrandom", libc::EAGAIN),
    (libc::SYS_prctl, "prctl", libc::EINVAL),
    (libc::SYS_socket, "socket", libc::EMFILE),
    (libc::SYS_setgroups, "setgroups", libc::ENOMEM),
    (libc::SYS_getgroups, "getgroups", libc::EIO),
    (libc::SYS_getcwd, "getcwd", libc::ENOMEM),
    (libc::SYS_uname, "uname", libc::EFAULT),
    (libc::SYS_sysinfo, "sysinfo", libc::EFAULT),
    (libc::SYS_madvise, "madvise", libc::ENOMEM),
    (libc::SYS_clock_nanosleep, "clock_nanosleep", libc::EINTR),
    (libc::SYS_rt_sigprocmask, "rt_sigprocmask", libc::EINVAL),
    (libc::SYS_rt_sigaction, "rt_sigaction", libc::EINVAL),
    (libc::SYS_sigaltstack, "sigaltstack", libc::ENOMEM),
    (libc::SYS_capget, "capget", libc::EPERM),
    (libc::SYS_pidfd_open, "pidfd_open", libc::EMFILE),
    (libc::SYS_copy_file_range, "copy_file_range", libc::EIO),
    (libc::SYS_sendfile, "sendfile", libc::EIO),
    (libc::SYS_clock_gettime, "clock_gettime", libc::EINVAL),
    (libc::SYS_getrusage, "getrusage", libc::EFAULT),
    (libc::SYS_set_robust_list, "set_robust_list", libc::EINVAL),
    (libc::SYS_rseq, "rseq", libc::EINVAL),
    (libc::SYS_io_uring_setup, "io_uring_setup", libc::EPERM),
];

/// Calls whose failure nobody can do anything about, or that do not fail: the end of
/// a thread or process, what only gives memory back, what the C library and the Rust
/// runtime do for themselves. (brk has no error: it answers where the end is. Random
/// numbers are there from the boot on; the runtime takes their absence for the end.)
const UNFAILING: &[i64] = &[
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_munmap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_close,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_brk,
    libc::SYS_getrandom,
];

impl Kind {
    pub fn name(self) -> &'static str {
        let known = KINDS.iter().find(|(number, ..)| *number == self.0);
        known.map_or("another call", |(_, name, _)| name)
    }

    pub fn errno(self) -> i32 {
        let known = KINDS.iter().find(|(number, ..)| *number == self.0);
        known.map_or(libc::ENOMEM, |(.., errno)| *errno)
    }

    pub fn cannot_fail(self) -> bool {
        UNFAILING.contains(&self.0)
    }
}

/// `struct seccomp_notif` of linux/seccomp.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    architecture: u32,
    at: u64,
    arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

const RECEIVE: u64 = 0xc050_2100;
const SEND: u64 = 0xc018_2101;
const CONTINUE: u32 = 1;

/// Hands every system call to whoever has the listener, but those by which a process
/// comes to life: the listener is given away only after that.
fn install_filter() -> std::io::Result<()> {
    let mut program = vec![load(0)];
    for passed in [libc::SYS_execve, libc::SYS_dup2, libc::SYS_exit_group] {
        program.push(unless(passed as u32, 1));
        program.push(answer(libc::SECCOMP_RET_ALLOW));
    }
    program.push(answer(libc::SECCOMP_RET_USER_NOTIF));
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program is alive during the call; dup2 takes two numbers.
    unsafe {
        let listener = libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const filter,
        );
        // The memory is not given back: that would be a call that nobody answers yet.
        std::mem::forget(program);
        if listener < 0 {
            return Err(std::io::Error::last_os_error());
        }
        // Without the flag that closes it at the exec.
        libc::syscall(libc::SYS_dup2, listener, LISTENER);
    }
    Ok(())
}

/// Takes the listener out of the process.
fn listener_of(child: &Child) -> OwnedFd {
    // SAFETY: these calls take numbers, and give descriptors that are this process's.
    unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, child.id(), 0);
        assert!(process >= 0, "{}", std::io::Error::last_os_error());
        let process = OwnedFd::from_raw_fd(process as i32);
        let listener = libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), LISTENER, 0);
        assert!(listener >= 0, "{}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(listener as i32)
    }
}

/// Runs `program` with `arguments` in `directory`; its standard error goes to a file.
pub fn run(program: &Path, arguments: &[&str], directory: &Path, fault: Option<Fault>) -> Ended {
    let errors = directory.join("stderr");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .env_remove("DEBUGINFOD_URLS")
        .env_remove("EPROF_LOG")
        .env("SUDO_UID", CALLER.to_string())
        .env("SUDO_GID", CALLER.to_string())
        .env("SUDO_USER", "nobody")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&errors).unwrap());
    // SAFETY: it calls nothing but system calls, and allocates before the filter is there.
    unsafe { command.pre_exec(install_filter) };
    let mut child = command.spawn().unwrap();
    let listener = listener_of(&child);
    let mut tapped = Tapped {
        eprof: child.id(),
        threads: HashSet::from([child.id()]),
        begun: false,
        fault,
        struck: false,
        stderr_failed: false,
        calls: BTreeMap::new(),
    };
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if begin.elapsed() > PATIENCE {
            break None;
        }
        tapped.serve(&listener);
    };
    // The target is not answered any more: was it still there?
    let orphan = target_lives(directory);
    drop(listener);
    let hung = status.is_none();
    let status = status.unwrap_or_else(|| {
        child.kill().unwrap();
        child.wait().unwrap()
    });
    if let Some(pid) = orphan {
        let pid = nix::unistd::Pid::from_raw(pid);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    }
    let mut stderr = String::new();
    let mut file = std::fs::File::open(&errors).unwrap();
    file.read_to_string(&mut stderr).unwrap();
    Ended {
        code: status.signal().map_or(status.code(), |_| None),
        status,
        stderr,
        hung,
        orphan: orphan.is_some(),
        fault,
        struck: tapped.struck,
        stderr_failed: tapped.stderr_failed,
        calls: tapped.calls,
    }
}

/// The target's process, if it has begun and not ended.
fn target_lives(directory: &Path) -> Option<i32> {
    let pid = std::fs::read_to_string(directory.join("pid")).ok()?;
    let pid: i32 = pid.trim().parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // A zombie has ended; somebody else may have its number.
    let state = stat.rsplit_once(") ")?.1.chars().next()?;
    let here = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    (state != 'Z' && here == directory.canonicalize().ok()?).then_some(pid)
}

/// A program that is being run.
struct Tapped {
    eprof: u32,
    threads: HashSet<u32>,
    /// Whether it is past what the loader and the runtime do.
    begun: bool,
    fault: Option<Fault>,
    struck: bool,
    stderr_failed: bool,
    calls: BTreeMap<i64, u64>,
}

impl Tapped {
    /// Answers one call, if there is one soon.
    fn serve(&mut self, listener: &OwnedFd) {
        let mut files = [nix::poll::PollFd::new(
            std::os::fd::AsFd::as_fd(listener),
            nix::poll::PollFlags::POLLIN,
        )];
        let _ = nix::poll::poll(&mut files, nix::poll::PollTimeout::from(20_u8));
        let events = files[0].revents().unwrap_or(nix::poll::PollFlags::empty());
        if !events.contains(nix::poll::PollFlags::POLLIN) {
            return;
        }
        let mut call = Notification::default();
        // SAFETY: the structure has the layout that the call fills.
        let got = unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut call) };
        if got != 0 {
            // Whoever called has been killed.
            return;
        }
        let mut answer = Answer {
            id: call.id,
            flags: CONTINUE,
            ..Answer::default()
        };
        if self.is_eprof(call.pid) && self.fails(&call) {
            answer.flags = 0;
            answer.error = -Kind(i64::from(call.number)).errno();
        }
        // SAFETY: the structure has the layout that the call reads.
        unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw mut answer) };
    }

    /// Whether the caller is eprof, and not the target or what is to become it.
    fn is_eprof(&mut self, thread: u32) -> bool {
        if self.threads.contains(&thread) {
            return true;
        }
        let task = format!("/proc/{}/task/{thread}", self.eprof);
        let is = Path::new(&task).exists();
        if is {
            self.threads.insert(thread);
        }
        is
    }

    /// Counts a call of eprof's, and answers whether it is the one that fails.
    fn fails(&mut self, call: &Notification) -> bool {
        let number = i64::from(call.number);
        if !self.begun {
            // The first thing that it does is to ignore this signal.
            let signal = call.arguments[0] as i32;
            self.begun = number == libc::SYS_rt_sigaction && signal == libc::SIGXFSZ;
            return false;
        }
        let count = self.calls.entry(number).or_default();
        *count += 1;
        let fails = self
            .fault
            .is_some_and(|fault| fault.kind.0 == number && fault.at == *count);
        if fails {
            self.struck = true;
            let writes = [libc::SYS_write, libc::SYS_writev].contains(&number);
            self.stderr_failed = writes && call.arguments[0] == 2;
        }
        fails
    }
}
