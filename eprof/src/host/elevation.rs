//! Privileges that eprof has and its caller has not: those of the file
//! (`setcap`, or the set-user-id bit).
//!
//! They are for a few operations that eprof chooses itself: loading kernel
//! programs, perf events, meters. Everything else is done with the caller's
//! own rights. So [`settle`], the first thing in `main`, makes no capability
//! effective, and [`raised`] makes those effective that one operation needs,
//! in the calling thread, for as long as its guard lives. What the caller says
//! must not widen what is reached meanwhile: variables that name places are
//! ignored.
//!
//! For root, also by sudo, nothing of this applies: the caller has all of it.
#![expect(
    unsafe_code,
    reason = "the auxiliary vector, the environment and the memory that the kernel put it into \
              have no safe interface"
)]

use std::cell::Cell;
use std::ffi::{OsStr, OsString, c_void};
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use nix::errno::Errno;
use nix::unistd::{getgid, getuid, setresgid, setresuid};

use super::capability::Capability;
use super::thread_caps::ThreadCaps;

/// Whether the file gave this process something that its caller has not.
static ELEVATED: AtomicBool = AtomicBool::new(false);
/// The capabilities that may be raised; none where nothing is elevated.
static PERMITTED: AtomicU64 = AtomicU64::new(0);
/// What may pass through an exec, which stays as it is.
static INHERITABLE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What is raised in this thread.
    static RAISED: Cell<u64> = const { Cell::new(0) };
}

/// For kernel programs and perf events. `CAP_SYS_ADMIN` includes the two that
/// are for them, and more where a distribution asks for it; the last two lift
/// limits of memory. A file need have none but the first two.
pub const KERNEL: &[Capability] = &[
    Capability::Bpf,
    Capability::Perfmon,
    Capability::SysAdmin,
    Capability::IpcLock,
    Capability::SysResource,
];

/// For files of the machine that only root may read.
pub const READ: &[Capability] = &[Capability::DacReadSearch, Capability::DacOverride];

/// For the kernel's addresses.
pub const ADDRESSES: &[Capability] = &[Capability::Syslog];

/// Variables that name places to read or write, or servers to ask.
const PLACES: [&str; 4] = [
    super::root::ROOT_VARIABLE,
    "EPROF_VERIFIER_LOG",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
];

/// What the variables of debuginfod begin with.
const DEBUGINFOD: &[u8] = b"DEBUGINFOD_";

/// Puts the file's privileges away, and removes the variables from the
/// environment that would widen what they reach; gives the names of these.
///
/// To be called first thing in `main`, when there is no other thread.
///
/// # Errors
/// What the kernel said; it never refuses to take privileges away.
pub fn settle() -> io::Result<Vec<OsString>> {
    let caller = getuid();
    // SAFETY: the call reads the auxiliary vector of this process.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    if !secure || caller.is_root() {
        return Ok(Vec::new());
    }
    let caps = become_caller()?;
    if caps.permitted == 0 {
        return Ok(Vec::new());
    }
    PERMITTED.store(caps.permitted, Relaxed);
    INHERITABLE.store(caps.inheritable, Relaxed);
    ELEVATED.store(true, Relaxed);
    Ok(ignore_places())
}

/// Gives up another identity (of a set-user-id file), keeping the capabilities
/// that eprof is made for; makes none effective.
fn become_caller() -> io::Result<ThreadCaps> {
    let (user, group) = (getuid(), getgid());
    let of_root = nix::unistd::geteuid() != user;
    if of_root {
        // SAFETY: the call takes integers.
        Errno::result(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) })?;
    }
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    let mut caps = ThreadCaps::get()?;
    if of_root {
        // Less than root may: what the recommended file capabilities give.
        let wanted = [
            Capability::Bpf,
            Capability::Perfmon,
            Capability::DacReadSearch,
            Capability::Syslog,
        ];
        caps.permitted &= bits(&wanted);
    }
    caps.effective = 0;
    caps.set()?;
    Ok(caps)
}

fn ignore_places() -> Vec<OsString> {
    let ignored = |name: &OsStr, value: &OsStr| {
        PLACES.iter().any(|place| name == *place)
            || name.as_bytes().starts_with(DEBUGINFOD)
            // A level alone is for standard error, which is the caller's.
            || (name == "EPROF_LOG" && value.as_bytes().contains(&b','))
    };
    let names: Vec<OsString> = std::env::vars_os()
        .filter(|(name, value)| ignored(name, value))
        .map(|(name, _)| name)
        .collect();
    for name in &names {
        // SAFETY: `settle` is called while there is one thread.
        unsafe { std::env::remove_var(name) };
    }
    names
}

/// Whether eprof has privileges that its caller has not.
pub fn is_elevated() -> bool {
    ELEVATED.load(Relaxed)
}

/// Gives the file's privileges up for good, in this thread and those that it
/// makes: for what needs none.
///
/// # Errors
/// What the kernel said; it never refuses to take privileges away.
pub fn give_up() -> io::Result<()> {
    if is_elevated() {
        PERMITTED.store(0, Relaxed);
        ThreadCaps {
            inheritable: INHERITABLE.load(Relaxed),
            ..ThreadCaps::default()
        }
        .set()?;
    }
    Ok(())
}

/// Makes those of `wanted` effective that the file gave, in this thread, until
/// the result is dropped. Without elevation it does nothing. A thread that is
/// made meanwhile would inherit them: let none be made.
pub fn raised(wanted: &[Capability]) -> Raised {
    let before = RAISED.get();
    let now = before | (bits(wanted) & PERMITTED.load(Relaxed));
    if now != before {
        make_effective(now);
    }
    Raised {
        before,
        _of_this_thread: PhantomData,
    }
}

/// Capabilities that are effective in this thread for now.
#[derive(Debug)]
#[must_use = "they are effective for as long as this lives"]
pub struct Raised {
    before: u64,
    _of_this_thread: PhantomData<*const ()>,
}

impl Drop for Raised {
    fn drop(&mut self) {
        if RAISED.get() != self.before {
            make_effective(self.before);
        }
    }
}

fn make_effective(set: u64) {
    let caps = ThreadCaps {
        effective: set,
        permitted: PERMITTED.load(Relaxed),
        inheritable: INHERITABLE.load(Relaxed),
    };
    // It fails for nothing that is permitted; where it did, what is then tried
    // would be refused.
    if caps.set().is_ok() {
        RAISED.set(set);
    }
}

/// Opens a file of the machine to read it, with `wanted` raised. The path is
/// one that no caller can choose.
///
/// # Errors
/// As of [`File::open`].
pub fn open(path: &Path, wanted: &[Capability]) -> io::Result<File> {
    let _raised = raised(wanted);
    File::open(path)
}

/// The environment that the caller gave this process, from where the kernel put
/// it: under elevation the loader and [`settle`] take variables out (LD_PRELOAD,
/// LD_LIBRARY_PATH, TMPDIR, …) which are to reach the caller's command all the
/// same. That has no privileges. `None` where it cannot be had.
pub fn callers_environment() -> Option<Vec<(OsString, OsString)>> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // proc_pid_stat(5): the name ends with the last parenthesis, and is followed
    // by the third field; the environment is in fields 50 and 51.
    let mut fields = stat
        .get(stat.rfind(')')? + 1..)?
        .split_whitespace()
        .skip(47);
    let begin: usize = fields.next()?.parse().ok()?;
    let end: usize = fields.next()?.parse().ok()?;
    let mut bytes = vec![0_u8; end.checked_sub(begin).filter(|_| begin > 0)?];
    let local = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast::<c_void>(),
        iov_len: bytes.len(),
    };
    let remote = libc::iovec {
        iov_base: std::ptr::with_exposed_provenance_mut(begin),
        iov_len: bytes.len(),
    };
    // SAFETY: the kernel copies into the live buffer of that length, from
    // addresses that it checks itself.
    let read = unsafe {
        libc::process_vm_readv(std::process::id().cast_signed(), &local, 1, &remote, 1, 0)
    };
    (usize::try_from(read) == Ok(bytes.len())).then(|| assignments(&bytes))
}

/// The variables of an environment block: `NAME=value`, each with a zero.
fn assignments(block: &[u8]) -> Vec<(OsString, OsString)> {
    let owned = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    block
        .split(|&byte| byte == 0)
        .filter_map(|line| {
            // As in the standard library: a name may begin with an equals sign.
            let equals = line.iter().skip(1).position(|&byte| byte == b'=')? + 1;
            Some((owned(line.get(..equals)?), owned(line.get(equals + 1..)?)))
        })
        .collect()
}

fn bits(capabilities: &[Capability]) -> u64 {
    capabilities
        .iter()
        .fold(0, |bits, &capability| bits | 1 << capability as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_elevation_nothing_changes() {
        let before = ThreadCaps::get();
        let raised = raised(KERNEL);
        assert_eq!(ThreadCaps::get(), before);
        drop(raised);
        assert!(give_up().is_ok());
        assert_eq!(ThreadCaps::get(), before);
        assert!(!is_elevated());
    }

    #[test]
    fn the_environment_is_that_of_the_beginning() {
        let Some(found) = callers_environment() else {
            return crate::skip::absent("process_vm_readv(2) is not allowed here");
        };
        // Cargo set this one, and no test changes it.
        let name = OsStr::new("CARGO_MANIFEST_DIR");
        let value = found.iter().find(|(key, _)| key == name);
        assert_eq!(
            value.map(|(_, value)| value.as_os_str()),
            Some(OsStr::new(env!("CARGO_MANIFEST_DIR")))
        );
    }

    #[test]
    fn a_block_is_taken_apart_at_the_first_equals_sign() {
        let found = assignments(b"A=1\0B==2\0=C=3\0nothing\0D=\0");
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let expected: [(&[u8], &[u8]); 4] =
            [(b"A", b"1"), (b"B", b"=2"), (b"=C", b"3"), (b"D", b"")];
        assert_eq!(found, expected);
    }
}
