//! `--idle-power`: idle power given by the user.

use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::unit::Watts;

use super::baseline::Baseline;
use super::meter::{Domain, Meter};

/// The value of `--idle-power`.
///
/// * `none`: no baseline: idle power is taken to be unknown.
/// * `12.5W` (or `12.5`): the machine's packages together (or, without
///   package meters, whatever else the disjoint meters count).
/// * `package=12W,dram=3W`: per domain, all meters of the domain together; a
///   meter's own name stands for that meter.
#[derive(Clone, Debug, PartialEq)]
pub enum IdlePower {
    /// `none`
    None,
    /// One figure.
    Total(Watts),
    /// Domains or meters, each once.
    Parts(Vec<(String, Watts)>),
}

/// The syntax, for error messages.
const SYNTAX: &str = "for example 12.5W, package=12W,dram=3W, or none";

impl FromStr for IdlePower {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |what: String| Error::new(ErrorKind::Usage, what).hint(SYNTAX);
        let text = text.trim();
        if text == "none" {
            return Ok(Self::None);
        }
        if !text.contains('=') {
            return watts(text)
                .map(Self::Total)
                .ok_or_else(|| bad(format!("“{text}” is not a power in watts")));
        }
        let mut parts: Vec<(String, Watts)> = Vec::new();
        for part in text.split(',') {
            // A meter's name may hold anything but a comma.
            let (name, power) = part
                .rsplit_once('=')
                .ok_or_else(|| bad(format!("“{part}” has no power")))?;
            let (name, power) = (name.trim(), power.trim());
            let power =
                watts(power).ok_or_else(|| bad(format!("“{power}” is not a power in watts")))?;
            if name.is_empty() || parts.iter().any(|(other, _)| other == name) {
                return Err(bad(format!("“{name}” is empty or named twice")));
            }
            parts.push((name.to_owned(), power));
        }
        Ok(Self::Parts(parts))
    }
}

/// A power such as `12.5W`, `12.5` or `800mW`; from 0 to a megawatt.
fn watts(text: &str) -> Option<Watts> {
    let text = text.trim();
    let (digits, factor) = match text.strip_suffix("mW") {
        Some(digits) => (digits, 1e-3),
        None => (text.strip_suffix(['W', 'w']).unwrap_or(text), 1.0),
    };
    let value: f64 = digits.trim().parse().ok()?;
    let value = value * factor;
    (value.is_finite() && (0.0..=1e6).contains(&value)).then_some(Watts(value))
}

impl IdlePower {
    /// The baselines that the option gives `meters`, with a standard deviation
    /// of zero: what the user gives is taken as exact.
    ///
    /// A figure for several meters is shared between them by their number of
    /// CPUs.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where a part names no meter in use.
    pub fn baselines(&self, meters: &[Meter]) -> Result<Vec<Baseline>> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Total(power) => {
                let of = |domain: Domain| -> Vec<&Meter> {
                    let wanted = |meter: &&Meter| !meter.nested && meter.domain == domain;
                    meters.iter().filter(wanted).collect()
                };
                let group = [Domain::Package, Domain::Psys]
                    .into_iter()
                    .map(of)
                    .find(|group| !group.is_empty())
                    .unwrap_or_else(|| meters.iter().filter(|meter| !meter.nested).collect());
                Ok(share(*power, &group))
            }
            Self::Parts(parts) => {
                let mut baselines: Vec<Baseline> = Vec::new();
                for (name, power) in parts {
                    let group: Vec<&Meter> = meters
                        .iter()
                        .filter(|meter| meter.name == *name || meter.domain.name() == name)
                        .collect();
                    if group.is_empty() {
                        return Err(no_such(name, meters));
                    }
                    for baseline in share(*power, &group) {
                        baselines.retain(|other| other.meter != baseline.meter);
                        baselines.push(baseline);
                    }
                }
                baselines.sort_by_key(|baseline| baseline.meter);
                Ok(baselines)
            }
        }
    }
}

fn share(power: Watts, group: &[&Meter]) -> Vec<Baseline> {
    let all: usize = group.iter().map(|meter| meter.cpus.len().max(1)).sum();
    let one = |meter: &&Meter| Baseline {
        meter: meter.id,
        power: Watts(power.0 * meter.cpus.len().max(1) as f64 / all as f64),
        sd: Watts(0.0),
        origin: "option".into(),
    };
    group.iter().map(one).collect()
}

fn no_such(name: &str, meters: &[Meter]) -> Error {
    let names: Vec<String> = meters
        .iter()
        .map(|meter| format!("{} ({})", meter.domain.name(), meter.name))
        .collect();
    Error::new(
        ErrorKind::Usage,
        format!("--idle-power names “{name}”, which is no domain or meter in use"),
    )
    .hint(format!("in use: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_forms_are_understood() {
        assert_eq!("none".parse::<IdlePower>().unwrap(), IdlePower::None);
        let total = |text: &str| match text.parse::<IdlePower>() {
            Ok(IdlePower::Total(Watts(watts))) => Some(watts),
            _ => None,
        };
        assert_eq!(total("12.5W"), Some(12.5));
        assert_eq!(total("12.5"), Some(12.5));
        assert_eq!(total("500mW"), Some(0.5));
        assert_eq!(
            "package=12W,dram=3W".parse::<IdlePower>().unwrap(),
            IdlePower::Parts(vec![
                ("package".into(), Watts(12.0)),
                ("dram".into(), Watts(3.0))
            ])
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "W",
            "-1W",
            "NaN",
            "inf",
            "1e300",
            "package",
            "package=",
            "=3W",
            "package=1,package=2",
            "package=1W,dram",
            "12 Joule",
        ] {
            assert!(text.parse::<IdlePower>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in ".{0,40}") {
            let _ = text.parse::<IdlePower>();
        }
    }
}
