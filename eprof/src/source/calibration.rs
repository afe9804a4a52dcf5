//! Idle power that was measured once and saved.
//!
//! `$XDG_CONFIG_HOME/eprof/calibration.json` (`~/.config/…` without the
//! variable):
//!
//! ```json
//! { "schema": "eprof-calibration/1",
//!   "meters": { "intel-rapl:0": { "watts": 7.9, "sd": 0.3 } } }
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::meter::Meter;
use crate::error::{Error, ErrorKind, Result};
use crate::recording::Baseline;
use crate::unit::Watts;

/// The only schema there is.
pub const SCHEMA: &str = "eprof-calibration/1";

/// No saved file is larger: it holds one line per meter.
const LARGEST: u64 = 1 << 20;

/// Idle power of one meter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Idle {
    /// Mean idle power in watts.
    pub watts: f64,
    /// Its standard deviation in watts.
    pub sd: f64,
}

/// A saved calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// [`SCHEMA`].
    pub schema: String,
    /// By meter name.
    pub meters: BTreeMap<String, Idle>,
}

/// Where the calibration of a user lies, given the values of
/// `XDG_CONFIG_HOME` and `HOME`; `None` where neither is an absolute path
/// (XDG Base Directory Specification 0.8).
pub fn path(config_home: Option<&str>, home: Option<&str>) -> Option<PathBuf> {
    let absolute = |text: &str| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
    let base = config_home
        .and_then(absolute)
        .or_else(|| Some(home.and_then(absolute)?.join(".config")))?;
    Some(base.join("eprof").join("calibration.json"))
}

impl Calibration {
    /// Reads the file at `path`; `None` where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Data`] where the file is not a calibration;
    /// [`ErrorKind::Input`] or [`ErrorKind::Permission`] where it cannot be
    /// read.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let io = |error: &std::io::Error| Error::io("read the calibration", path, error);
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(&error)),
            Ok(data) if data.len() > LARGEST || !data.is_file() => {
                return Err(bad(path, "it is not a small file"));
            }
            Ok(_) => {}
        }
        let text = std::fs::read(path).map_err(|error| io(&error))?;
        let found: Self =
            serde_json::from_slice(&text).map_err(|error| bad(path, &error.to_string()))?;
        if found.schema != SCHEMA {
            return Err(bad(path, "it has another schema"));
        }
        let sane = |value: f64| value.is_finite() && (0.0..=1e6).contains(&value);
        if !found
            .meters
            .values()
            .all(|idle| sane(idle.watts) && sane(idle.sd))
        {
            return Err(bad(path, "a power in it is impossible"));
        }
        Ok(Some(found))
    }

    /// The baselines of those of `meters` that the calibration knows by name.
    pub fn baselines(&self, meters: &[Meter]) -> Vec<Baseline> {
        let one = |meter: &Meter| {
            let idle = self.meters.get(&meter.name)?;
            Some(Baseline {
                meter: meter.id,
                power: Watts(idle.watts),
                sd: Watts(idle.sd),
                origin: "calibration".into(),
            })
        };
        meters.iter().filter_map(one).collect()
    }
}

fn bad(path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::Data,
        format!("the calibration {} is not usable: {why}", path.display()),
    )
    .remedy(format!("rm {}", path.display()))
}
