//! The child, laid out before it is cloned: every string, list and number that
//! it needs until it execs, since it may not allocate (see [`super::child`]).

use std::ffi::{CString, OsStr, OsString, c_char, c_int, c_uint};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use nix::errno::Errno;

use super::command::{Command, Streams};
use super::user::{Identity, UserId};
use crate::error::{Error, ErrorKind, Result};

/// Where `execvp` looks without a `PATH`: what glibc's `confstr(_CS_PATH)` says.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The shell that runs a script without `#!` line, as `execvp` does it.
const SHELL: &str = "/bin/sh";

/// What the child was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Step {
    /// Entering the cgroup.
    Cgroup = 1,
    /// Setting resource limits.
    Limits = 2,
    /// Becoming the user.
    User = 3,
    /// Giving up capabilities.
    Capabilities = 4,
    /// Executing the program.
    Exec = 5,
    /// Beginning a session.
    Session = 6,
}

/// What the child reports about a failure: the step, and the error number in
/// the byte order of the machine.
pub(super) type Report = [u8; 8];

/// Reads a report; `None` for bytes that are none.
pub(super) fn read_report(report: Report) -> Option<(Step, Errno)> {
    let [step, _, _, _, errno @ ..] = report;
    let step = [
        Step::Cgroup,
        Step::Limits,
        Step::User,
        Step::Capabilities,
        Step::Exec,
        Step::Session,
    ]
    .into_iter()
    .find(|known| *known as u8 == step)?;
    Some((step, Errno::from_raw(i32::from_ne_bytes(errno))))
}

/// The ends of the pipes that the child uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pipes {
    /// Read: one byte says go, the end of file says that eprof is gone.
    pub(super) go: RawFd,
    /// Written: a [`Report`]; closed by the exec.
    pub(super) report: RawFd,
}

/// Strings as `execve` wants them: pointers into owned memory, with a null at
/// the end.
#[derive(Debug)]
pub(super) struct Strings {
    _owned: Vec<CString>,
    pub(super) pointers: Vec<*const c_char>,
}

impl Strings {
    fn new(owned: Vec<CString>) -> Self {
        // The bytes of a CString are on the heap and do not move with it.
        let pointers = owned
            .iter()
            .map(|text| text.as_ptr())
            .chain([std::ptr::null()])
            .collect();
        Self {
            _owned: owned,
            pointers,
        }
    }
}

/// A new process, ready to be cloned.
#[derive(Debug)]
pub(super) struct Image {
    /// The files to try, in this order.
    pub(super) candidates: Vec<CString>,
    /// Whether they come from a search of `PATH`.
    pub(super) searching: bool,
    pub(super) arguments: Strings,
    /// The arguments for [`SHELL`]; the second is the script, set when known.
    pub(super) shell_arguments: Strings,
    pub(super) shell: CString,
    pub(super) environment: Strings,
    pub(super) mask: libc::sigset_t,
    pub(super) limits: Vec<(c_int, libc::rlimit64)>,
    pub(super) user: Option<UserId>,
    /// Whether it gets a session of its own.
    pub(super) session: bool,
    pub(super) pipes: Pipes,
    /// Files that become standard streams: the file, the stream.
    pub(super) redirected: Vec<(RawFd, RawFd)>,
    /// Keeps those files open.
    _streams: Streams,
    /// Ranges of file descriptors to close, both ends included.
    pub(super) close: Vec<(c_uint, c_uint)>,
}

impl Image {
    /// Lays out `command` for a child that becomes the target's user of `identity`
    /// and speaks through `pipes`.
    ///
    /// # Errors
    ///
    /// A NUL byte in a string, or no program at all.
    pub(super) fn new(command: &Command, identity: &Identity, pipes: Pipes) -> Result<Self> {
        let user = identity.target.clone();
        if command.program.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "the command is empty"));
        }
        let environment = &command.environment;
        let path = environment.iter().find(|(key, _)| key == "PATH");
        let path = path.map_or(OsStr::new(DEFAULT_PATH), |(_, value)| value);
        let words = |words: &[OsString]| words.iter().map(c_string).collect::<Result<Vec<_>>>();
        let mut arguments = words(std::slice::from_ref(&command.program))?;
        arguments.extend(words(&command.arguments)?);
        let mut shell_arguments = words(&[SHELL.into(), command.program.clone()])?;
        shell_arguments.extend(words(&command.arguments)?);
        let assignments = environment.iter().map(|(key, value)| {
            let mut assignment = key.clone();
            assignment.push("=");
            assignment.push(value);
            c_string(&assignment)
        });
        let mut kept = vec![pipes.go, pipes.report];
        if user.is_none() {
            let inherited = command.inherited.0.iter();
            kept.extend(inherited.filter_map(|&file| RawFd::try_from(file).ok()));
        }
        Ok(Self {
            candidates: words(&candidates(&command.program, path))?,
            searching: !is_path(&command.program),
            arguments: Strings::new(arguments),
            shell_arguments: Strings::new(shell_arguments),
            shell: c_string(&SHELL.into())?,
            environment: Strings::new(assignments.collect::<Result<_>>()?),
            mask: *command.mask.as_ref(),
            limits: command
                .limits
                .0
                .iter()
                .map(|&(resource, soft, hard)| {
                    let limit = libc::rlimit64 {
                        rlim_cur: soft,
                        rlim_max: hard,
                    };
                    (resource, limit)
                })
                .collect(),
            user,
            session: identity.stranger,
            pipes,
            redirected: redirected(&command.streams),
            _streams: command.streams.clone(),
            close: all_but(kept),
        })
    }

    /// Whom the child becomes.
    pub(super) fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }
}

/// The files of `streams`, each with the number of its stream.
fn redirected(streams: &Streams) -> Vec<(RawFd, RawFd)> {
    [&streams.input, &streams.output, &streams.errors]
        .into_iter()
        .zip(0..)
        .filter_map(|(file, stream)| Some((file.as_ref()?.as_raw_fd(), stream)))
        .collect()
}

/// The files that `execvp` would try for `program`: itself where it has a
/// slash, otherwise one per directory of `path`; an empty one is the current.
fn candidates(program: &OsStr, path: &OsStr) -> Vec<OsString> {
    if is_path(program) {
        return vec![program.to_owned()];
    }
    path.as_bytes()
        .split(|&byte| byte == b':')
        .map(|directory| {
            let mut file = directory.to_vec();
            if !directory.is_empty() {
                file.push(b'/');
            }
            file.extend_from_slice(program.as_bytes());
            OsString::from_vec(file)
        })
        .collect()
}

/// A program with a slash in its name is not searched for.
pub(super) fn is_path(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
}

fn c_string(text: &OsString) -> Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| {
        Error::new(
            ErrorKind::Usage,
            format!("'{}' holds a NUL byte", text.to_string_lossy()),
        )
    })
}

/// All file descriptors from 3 on but `kept`, as ranges.
fn all_but(mut kept: Vec<RawFd>) -> Vec<(c_uint, c_uint)> {
    kept.sort_unstable();
    let mut ranges = Vec::with_capacity(kept.len() + 1);
    let mut next: c_uint = 3;
    for file in kept
        .into_iter()
        .filter_map(|file| c_uint::try_from(file).ok())
    {
        if file > next {
            ranges.push((next, file - 1));
        }
        next = next.max(file.saturating_add(1));
    }
    ranges.push((next, c_uint::MAX));
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_leave_out_what_is_kept_and_nothing_else() {
        let open = |kept: &[RawFd]| {
            let ranges = all_but(kept.to_vec());
            (3..40)
                .filter(|fd| {
                    !ranges
                        .iter()
                        .any(|(first, last)| (first..=last).contains(&fd))
                })
                .collect::<Vec<c_uint>>()
        };
        assert!(open(&[]).is_empty());
        assert_eq!(open(&[3]), [3]);
        assert_eq!(open(&[9, 4, 5, 9, 0]), [4, 5, 9]);
        assert_eq!(all_but(vec![3, 4]), [(5, c_uint::MAX)]);
    }

    #[test]
    fn the_search_is_that_of_execvp() {
        let tried = |program: &str, path: &str| candidates(program.as_ref(), path.as_ref());
        assert_eq!(tried("ls", "/a:/b"), ["/a/ls", "/b/ls"]);
        assert_eq!(tried("ls", ":/b:"), ["ls", "/b/ls", "ls"]);
        assert_eq!(tried("./ls", "/a"), ["./ls"]);
    }
}
