//! `EPROF_LOG`: logs what eprof does to standard error or a file.
//!
//! Every room logs its steps by the macros of `tracing`. Without the
//! variable nothing listens, and a step costs the comparison of one number.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{fs, io};

use tracing::Level;
use tracing_subscriber::fmt::time::Uptime;

use crate::error::{Error, ErrorKind, Result};
use crate::launch::{Identity, RunAs, output_file};

/// The levels, from the fewest lines to the most.
const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

/// What the variable asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    level: Level,
    /// `None`: standard error.
    file: Option<PathBuf>,
}

/// Begins to log, where `EPROF_LOG` says so. The file is opened as the calling
/// user, and emptied.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for a value that is not `LEVEL` or `LEVEL,FILE`; where
/// the calling user may not write the file.
pub(super) fn start() -> Result<()> {
    let value = std::env::var_os("EPROF_LOG").filter(|value| !value.is_empty());
    let Some(value) = value else {
        return Ok(());
    };
    let Wanted { level, file } = wanted(&value)?;
    match file {
        None => listen(level, io::stderr),
        Some(path) => listen(level, Mutex::new(open(&path)?)),
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "eprof");
    Ok(())
}

fn open(path: &Path) -> Result<fs::File> {
    let caller = Identity::resolve(&RunAs::Caller)?.files;
    output_file::log(path, caller.as_ref())
}

fn listen<W>(level: Level, writer: W)
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_timer(Uptime::default())
        .with_ansi(false)
        // It would say so by `eprintln!`.
        .log_internal_errors(false)
        .with_writer(writer)
        .finish();
    // Fails only where this process logs already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn wanted(value: &OsStr) -> Result<Wanted> {
    let mut parts = value.as_bytes().splitn(2, |byte| *byte == b',');
    let name = OsStr::from_bytes(parts.next().unwrap_or_default());
    let known = LEVELS.iter().find(|(level, _)| name == *level);
    let file = parts.next().map(OsStr::from_bytes).map(OsString::from);
    match (known, file) {
        (Some(_), Some(file)) if file.is_empty() => Err(refused(value, "names no file")),
        (Some((_, level)), file) => Ok(Wanted {
            level: *level,
            file: file.map(PathBuf::from),
        }),
        (None, _) => Err(refused(value, "has an unknown level")),
    }
}

fn refused(value: &OsStr, why: &str) -> Error {
    let names = LEVELS.map(|(name, _)| name).join(", ");
    let sentence = format!("EPROF_LOG={} {why}", value.to_string_lossy());
    Error::new(ErrorKind::Usage, sentence).hint(format!(
        "set it to one of {names}, and add ,FILE to write a file: EPROF_LOG=debug,eprof.log"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_and_a_file_are_told_apart() {
        let of = |text: &str| wanted(text.as_ref()).ok();
        let level = |level, file: Option<&str>| {
            Some(Wanted {
                level,
                file: file.map(PathBuf::from),
            })
        };
        assert_eq!(of("debug"), level(Level::DEBUG, None));
        assert_eq!(of("trace,a,b.log"), level(Level::TRACE, Some("a,b.log")));
        for wrong in ["loud", "DEBUG", "debug,", ",file", "debug:file"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
