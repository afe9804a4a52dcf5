//! Meters that are files holding one number: powercap, hwmon, battery.

use std::fs::File;
use std::io::{Error, ErrorKind as IoKind, Result as IoResult};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{SYSFS_MAGIC, fstatfs};

use super::discovery::{Discovery, Unusable};
use super::sensor::Found;
use crate::clock;
use crate::error::{Error as EprofError, ErrorKind, Result};
use crate::host::elevation;
use crate::measurement::{Meter, MeterId, Reading};
use crate::source::{Backend, EnergySource};

/// Why most files are denied to this user.
pub(super) const DENIED: &str = "this user may not read it";

/// A file that holds one number.
#[derive(Debug)]
pub struct NumberFile {
    path: PathBuf,
    /// Kept open on sysfs, where a read at offset 0 is always fresh and costs
    /// a tenth of opening. Elsewhere (a copied or simulated tree) a file may
    /// be replaced by renaming, so that it is opened anew each time.
    open: Option<File>,
}

impl NumberFile {
    /// Opens `path` and reads it once.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn open(path: &Path) -> IoResult<(Self, u64)> {
        let file = open(path)?;
        let value = number(&file)?;
        let sysfs = fstatfs(&file).is_ok_and(|fs| fs.filesystem_type() == SYSFS_MAGIC);
        let opened = Self {
            path: path.to_owned(),
            open: sysfs.then_some(file),
        };
        Ok((opened, value))
    }

    /// Reads the number.
    ///
    /// # Errors
    /// Whatever opening or reading says; `InvalidData` for a text that is not
    /// a whole number.
    pub fn read(&self) -> IoResult<u64> {
        match &self.open {
            Some(file) => number(file),
            None => number(&open(&self.path)?),
        }
    }
}

/// Opens a meter's file, which may be root's. Under elevation the root is the
/// machine, so that nobody but root can have made what is below `/sys`.
fn open(path: &Path) -> IoResult<File> {
    match path.starts_with("/sys") {
        true => elevation::open(path, elevation::READ),
        false => File::open(path),
    }
}

fn number(file: &File) -> IoResult<u64> {
    let mut bytes = [0u8; 64];
    let length = file.read_at(&mut bytes, 0)?;
    let invalid = || Error::new(IoKind::InvalidData, "it does not hold a number");
    let text = bytes.get(..length).map(std::str::from_utf8);
    let Some(Ok(text)) = text else {
        return Err(invalid());
    };
    text.trim().parse().map_err(|_| invalid())
}

/// The meters of one kind that are files.
#[derive(Debug)]
pub struct FileSource {
    meters: Vec<Meter>,
    files: Vec<NumberFile>,
}

impl FileSource {
    /// Opens what was discovered. Meters that cannot be read are unusable, with
    /// the reason (`denied` where they are not for this user); the others are
    /// numbered anew.
    pub(super) fn found(discovery: Discovery<PathBuf>, denied: &str) -> Found {
        let mut source = Self {
            meters: Vec::new(),
            files: Vec::new(),
        };
        let mut unusable = discovery.unusable;
        for (meter, path) in discovery.found {
            match NumberFile::open(&path) {
                Ok((file, _)) => {
                    let id = u16::try_from(source.meters.len()).unwrap_or(u16::MAX);
                    let meter = Meter {
                        id: MeterId(id),
                        ..meter
                    };
                    source.meters.push(meter);
                    source.files.push(file);
                }
                Err(error) => unusable.push(unreadable(&meter, &path, &error, denied)),
            }
        }
        Found {
            source: Box::new(source),
            unusable,
            absent: discovery.absent,
        }
    }
}

/// Why a meter's file cannot be read; `denied` is what is said of one that is
/// not for this user.
fn unreadable(meter: &Meter, path: &Path, error: &Error, denied: &str) -> Unusable {
    let name = meter.name.clone();
    match error.kind() {
        IoKind::PermissionDenied => Unusable::denied(name, denied),
        IoKind::NotFound => Unusable::new(name, format!("{} is missing", path.display())),
        IoKind::InvalidData => {
            Unusable::new(name, format!("{} does not hold a number", path.display()))
        }
        _ => Unusable::new(name, format!("cannot read {}: {error}", path.display())),
    }
}

impl EnergySource for FileSource {
    fn meters(&self) -> &[Meter] {
        &self.meters
    }

    fn read(&mut self) -> Result<Vec<Reading>> {
        let mut readings = Vec::with_capacity(self.meters.len());
        let mut gone = 0;
        for (meter, file) in self.meters.iter().zip(&self.files) {
            let begin = clock::now();
            let value = file.read();
            let end = clock::now();
            match value {
                Ok(raw) => readings.push(Reading {
                    updated: None,
                    meter: meter.id,
                    raw,
                    begin,
                    end,
                }),
                Err(error) if error.kind() == IoKind::NotFound => gone += 1,
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => gone += 1,
                Err(_) => {}
            }
        }
        if gone > 0 && gone == self.meters.len() {
            let kind = self.meters.first().map_or("source", |m| m.kind.name());
            return Err(EprofError::new(
                ErrorKind::Unavailable,
                format!("all {kind} meters have disappeared"),
            ));
        }
        Ok(readings)
    }
}

impl Backend for FileSource {
    fn keep(&mut self, meters: Vec<Option<Meter>>) {
        let files = std::mem::take(&mut self.files);
        self.meters.clear();
        for (file, meter) in files.into_iter().zip(meters) {
            if let Some(meter) = meter {
                self.meters.push(meter);
                self.files.push(file);
            }
        }
    }
}
