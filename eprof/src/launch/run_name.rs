//! The name of a run's cgroup, and whether that run goes on.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fmt, fs};

use super::lock::try_lock;

/// The name of a run's cgroup: `eprof-PID-START`, with `-N` for the second
/// and later runs of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunName {
    /// Process id of eprof in its PID namespace.
    pub pid: u32,
    /// When that process started: clock ticks since boot, as in field 22 of
    /// `/proc/PID/stat` (proc(5)), so that a reused PID is recognised.
    pub start: u64,
    /// The how-manieth run of that process, from 0.
    pub serial: u32,
}

impl RunName {
    /// The next name for this process.
    ///
    /// # Errors
    ///
    /// Where `/proc/self/stat` cannot be read.
    pub(super) fn next() -> io::Result<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let stat = fs::read("/proc/self/stat")?;
        let start = start_ticks(&stat).ok_or(ErrorKind::InvalidData)?;
        Ok(Self {
            pid: std::process::id(),
            start,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// The run that a directory is named after; `None` for other names.
    pub fn parse(name: &OsStr) -> Option<Self> {
        let mut parts = name.to_str()?.strip_prefix("eprof-")?.split('-');
        let run = Self {
            pid: parts.next()?.parse().ok()?,
            start: parts.next()?.parse().ok()?,
            serial: parts.next().map_or(Some(0), |serial| serial.parse().ok())?,
        };
        parts.next().is_none().then_some(run)
    }

    /// Whether the process that it names runs in our PID namespace.
    fn process_lives(self) -> bool {
        fs::read(format!("/proc/{}/stat", self.pid))
            .is_ok_and(|stat| start_ticks(&stat) == Some(self.start))
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "eprof-{}-{}", self.pid, self.start)?;
        match self.serial {
            0 => Ok(()),
            serial => write!(f, "-{serial}"),
        }
    }
}

/// Field 22 of a `/proc/PID/stat`. The second field, the name in parentheses,
/// may itself hold spaces and parentheses, so counting begins after the last.
fn start_ticks(stat: &[u8]) -> Option<u64> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

/// Whether the run that made `directory` goes on. The lock decides; the name
/// covers the time between the making of the directory and its locking.
/// When in doubt, it does.
pub(super) fn is_live(directory: &Path, name: RunName) -> bool {
    !matches!(try_lock(directory), Ok(Some(_))) || name.process_lives()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_as_it_was_written() {
        for serial in [0, 1, 77] {
            let name = RunName {
                pid: 4194304,
                start: u64::MAX,
                serial,
            };
            let text = name.to_string();
            assert_eq!(RunName::parse(OsStr::new(&text)), Some(name), "{text}");
        }
    }

    #[test]
    fn other_names_are_nobodys_run() {
        for text in [
            "",
            "eprof",
            "eprof-",
            "eprof-1",
            "eprof-1-",
            "eprof-x-1",
            "eprof-1-2-",
            "eprof-1-2-3-4",
            "eprof--1-2",
            "my-eprof-1-2",
            "eprof-99999999999-1",
        ] {
            assert_eq!(RunName::parse(OsStr::new(text)), None, "{text}");
        }
    }

    #[test]
    fn a_command_name_cannot_shift_the_fields() {
        let stat = b"7 (a) b ) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 160765 99";
        assert_eq!(start_ticks(stat), Some(160765));
        assert_eq!(start_ticks(b"7 (a) S 1"), None);
        assert_eq!(start_ticks(b""), None);
    }
}
