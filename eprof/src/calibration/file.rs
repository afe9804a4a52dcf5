//! Idle power that was measured once and saved.
//!
//! `$XDG_CONFIG_HOME/eprof/calibration.json` (`~/.config/…` without the
//! variable):
//!
//! ```json
//! { "schema": "eprof-calibration/2",
//!   "machine": { "cpu": "…", "kernel": "6.12.9", "eprof": "0.1.0", "date": "2026-01-31" },
//!   "meters": {
//!     "intel-rapl:0": {
//!       "domain": "package", "cpus": 8, "watts": 7.9, "sd": 0.3,
//!       "model": { "terms": [ { "signal": "time", "weight": 2.1e-9 } ], … } } } }
//! ```
//!
//! The first version of the format had `watts` and `sd` only; it is still read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::saved_model::SavedModel;
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::measurement::{Baseline, Domain, Meter};
use crate::power::PowerModel;
use crate::unit::Watts;

/// The schema that is written.
pub const SCHEMA: &str = "eprof-calibration/2";

/// An older one that is read as well.
const OLDER: &str = "eprof-calibration/1";

/// No saved file is larger: it holds some hundred numbers per meter.
const LARGEST: u64 = 4 << 20;

/// What is known of one meter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// What it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// How many CPUs it answers for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<usize>,
    /// Mean idle power in watts.
    pub watts: f64,
    /// Its standard deviation in watts.
    pub sd: f64,
    /// The power above idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<SavedModel>,
}

/// The machine that was calibrated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// The kernel's release.
    pub kernel: String,
    /// eprof's version.
    pub eprof: String,
    /// The day, in UTC (ISO 8601).
    pub date: String,
}

/// A saved calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// [`SCHEMA`].
    pub schema: String,
    /// Where it was measured; `None` in files of the first version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// By meter name.
    pub meters: BTreeMap<String, Saved>,
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
        if ![SCHEMA, OLDER].contains(&found.schema.as_str()) {
            return Err(bad(path, "it has another schema"));
        }
        let sane = |value: f64| value.is_finite() && (0.0..=1e6).contains(&value);
        let known = |saved: &Saved| sane(saved.watts) && sane(saved.sd);
        if !found.meters.values().all(known) {
            return Err(bad(path, "a power in it is impossible"));
        }
        let mut models = found
            .meters
            .values()
            .filter_map(|saved| saved.model.as_ref());
        if !models.all(SavedModel::is_sane) {
            return Err(bad(path, "a model in it is impossible"));
        }
        Ok(Some(found))
    }

    /// Says so where this was measured on another processor than `cpu`, so
    /// that nothing of it holds here.
    pub fn elsewhere(&self, cpu: &str) -> Option<Caveat> {
        let there = &self.machine.as_ref()?.cpu;
        let other = there != cpu && !there.is_empty() && !cpu.is_empty();
        other.then(|| {
            Caveat::new(
                "calibration-elsewhere",
                format!("the saved calibration is of another processor: {there}"),
            )
            .hint("eprof calibrate measures this one")
        })
    }

    /// The models of those of `meters` that the calibration has one for.
    pub fn models(&self, meters: &[Meter]) -> Vec<PowerModel> {
        let one = |meter: &Meter| {
            let saved = self.meters.get(&meter.name)?;
            saved.model.as_ref()?.of(meter.id)
        };
        meters.iter().filter_map(one).collect()
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

/// The day of a time in seconds since 1970, in UTC, as `2026-01-31` (after
/// Hinnant, *chrono-compatible low-level date algorithms*).
pub fn day(unix_seconds: u64) -> String {
    let days = unix_seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn bad(path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::Data,
        format!("the calibration {} is not usable: {why}", path.display()),
    )
    .hint(format!("rm {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn days_are_those_of_the_calendar() {
        // As `date -u -d @N +%F` prints them.
        for (seconds, date) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_709_251_199, "2024-02-29"),
            (1_709_251_200, "2024-03-01"),
            (1_798_761_599, "2026-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day(seconds), date);
        }
    }
}
