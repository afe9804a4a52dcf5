//! Names of files with what is only known when eprof runs: `out.%h.%r.data`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::host::rank;

/// What stands for the letters after `%`.
#[derive(Clone, Debug, Default)]
pub(super) struct Here {
    /// `%h`: the host's name.
    pub(super) host: String,
    /// `%r`: the rank in a parallel job.
    pub(super) rank: Option<u32>,
    /// `%p`: eprof's process id.
    pub(super) pid: u32,
    /// `%n`: the number of the run, from 1.
    pub(super) run: usize,
}

impl Here {
    /// This process on this host.
    pub(super) fn now() -> Self {
        let host = nix::unistd::gethostname().unwrap_or_default();
        Self {
            host: host.to_string_lossy().replace('/', "_"),
            rank: rank::of_environment(),
            pid: std::process::id(),
            run: 1,
        }
    }

    /// `path` with every `%h`, `%r`, `%p`, `%n` and `%%` replaced.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for another letter, and for a rank outside a
    /// parallel job.
    pub(super) fn expand(&self, path: &Path) -> Result<PathBuf> {
        let usage =
            |sentence: String, hint: String| Error::new(ErrorKind::Usage, sentence).hint(hint);
        let mut expanded = Vec::new();
        let mut bytes = path.as_os_str().as_bytes().iter();
        while let Some(&byte) = bytes.next() {
            if byte != b'%' {
                expanded.push(byte);
                continue;
            }
            let text = match bytes.next() {
                Some(b'%') => "%".to_owned(),
                Some(b'h') => self.host.clone(),
                Some(b'p') => self.pid.to_string(),
                Some(b'n') => format!("{:03}", self.run),
                Some(b'r') => match self.rank {
                    Some(rank) => rank.to_string(),
                    None => {
                        return Err(usage(
                            format!("{} asks for a rank, and there is none", path.display()),
                            format!(
                                "start eprof by mpirun or srun, or set one of {}",
                                rank::VARIABLES.join(", ")
                            ),
                        ));
                    }
                },
                _ => {
                    return Err(usage(
                        format!("{} has a % that stands for nothing", path.display()),
                        "%h is the host, %r the rank, %p eprof's process id, %n the number of the \
                         run, %% a percent sign"
                            .to_owned(),
                    ));
                }
            };
            expanded.extend_from_slice(text.as_bytes());
        }
        Ok(PathBuf::from(OsString::from_vec(expanded)))
    }
}

/// Whether something in `path` is to be replaced.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_bytes().contains(&b'%')
}

/// The files of `runs` runs, by `pattern`: where it has no `%n`, the number of
/// the run stands before the ending, unless there is only one.
///
/// # Errors
///
/// As [`Here::expand`].
pub(super) fn numbered(pattern: &Path, runs: usize, here: &Here) -> Result<Vec<PathBuf>> {
    let pattern = match runs {
        1 => pattern.to_owned(),
        _ if has_number(pattern) => pattern.to_owned(),
        _ => before_ending(pattern),
    };
    let of = |run: usize| {
        let here = Here {
            run,
            ..here.clone()
        };
        here.expand(&pattern)
    };
    (1..=runs).map(of).collect()
}

fn has_number(pattern: &Path) -> bool {
    let bytes = pattern.as_os_str().as_bytes();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() > 1) {
        match rest {
            [b'%', b'n', ..] => return true,
            [b'%', ..] => at += 2,
            _ => at += 1,
        }
    }
    false
}

/// `eprof.data` becomes `eprof.%n.data`.
fn before_ending(pattern: &Path) -> PathBuf {
    let ending = pattern.extension().map(OsStr::to_owned);
    let mut name = pattern.file_stem().unwrap_or_default().to_owned();
    name.push(".%n");
    if let Some(ending) = ending {
        name.push(".");
        name.push(ending);
    }
    pattern.with_file_name(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    fn here() -> Here {
        Here {
            host: "node7".into(),
            rank: Some(12),
            pid: 4711,
            run: 1,
        }
    }

    fn expanded(pattern: &str) -> Result<PathBuf> {
        here().expand(Path::new(pattern))
    }

    #[test]
    fn letters_stand_for_what_is_known_here() {
        assert_eq!(
            expanded("out.%h.%r.data").unwrap(),
            Path::new("out.node7.12.data")
        );
        assert_eq!(
            expanded("/a/%p/%n.data").unwrap(),
            Path::new("/a/4711/001.data")
        );
        assert_eq!(expanded("100%%.data").unwrap(), Path::new("100%.data"));
        assert_eq!(expanded("plain").unwrap(), Path::new("plain"));
        for wrong in ["%x", "a%", "50% of it"] {
            assert!(expanded(wrong).is_err(), "{wrong}");
        }
        let alone = Here {
            rank: None,
            ..here()
        };
        assert!(alone.expand(Path::new("%r")).is_err());
    }

    #[test]
    fn runs_are_numbered_where_the_pattern_says_so_or_before_the_ending() {
        let names = |pattern: &str, runs| {
            let paths = numbered(Path::new(pattern), runs, &here()).unwrap();
            let names = paths.iter().map(|path| path.display().to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(names("a/eprof.data", 1), ["a/eprof.data"]);
        assert_eq!(
            names("a/eprof.data", 2),
            ["a/eprof.001.data", "a/eprof.002.data"]
        );
        assert_eq!(names("x", 2), ["x.001", "x.002"]);
        assert_eq!(names("%n-%h.data", 2), ["001-node7.data", "002-node7.data"]);
        assert_eq!(names("%%n.data", 2), ["%n.001.data", "%n.002.data"]);
    }
}
