//! Greenhouse gas of electric energy: a conversion of units by a factor that
//! the user gives. There is no factor by default: it differs tenfold between
//! grids, and from hour to hour.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};
use crate::unit::Microjoules;

/// Microjoules of a kilowatt-hour.
const KWH: f64 = 3.6e12;

/// Coal with the worst technology emits about 1.7 kg per kWh; ten times that
/// is a slip of the pen.
const MOST: f64 = 20_000.0;

/// The syntax, for error messages.
const SYNTAX: &str =
    "for example 380gCO2e/kWh, or '380gCO2e/kWh,source=grid operator, mean of 2024'";

/// How much CO₂ equivalent a unit of energy stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Carbon {
    /// Grams of CO₂ equivalent per kilowatt-hour.
    pub grams_per_kwh: f64,
    /// Where the factor is from, in the user's words.
    pub source: Option<String>,
}

impl Carbon {
    /// Grams of CO₂ equivalent.
    pub fn grams(&self, energy: Microjoules) -> f64 {
        energy.0 as f64 / KWH * self.grams_per_kwh
    }

    /// The same of a number of joules.
    pub fn grams_of_joules(&self, joules: f64) -> f64 {
        joules * 1e6 / KWH * self.grams_per_kwh
    }
}

impl fmt::Display for Carbon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gCO2e/kWh", self.grams_per_kwh)?;
        match &self.source {
            Some(source) => write!(f, " (source: {source})"),
            None => write!(f, " (no source given)"),
        }
    }
}

impl FromStr for Carbon {
    type Err = Error;

    /// A number with its unit, `g` or `kg` (of `CO2`, `CO2e` or `CO2eq`, which
    /// may be left out) per `kWh` or `MWh`; then, if wanted, `,source=` and any
    /// text.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |what: String| Error::new(ErrorKind::Usage, what).hint(SYNTAX);
        let (factor, source) = match text.split_once(',') {
            None => (text, None),
            Some((factor, rest)) => match rest.trim().strip_prefix("source=") {
                Some(source) if !source.trim().is_empty() => (factor, Some(source.trim())),
                _ => return Err(bad(format!("`{rest}` does not say `source=…`"))),
            },
        };
        let factor = factor.trim();
        let digits = factor
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(factor.len());
        let (number, unit) = factor.split_at(digits);
        let number: f64 = number
            .parse()
            .map_err(|_| bad(format!("`{factor}` does not begin with a number")))?;
        let scale = scale(unit.trim())
            .ok_or_else(|| bad(format!("`{factor}` has no unit of carbon per energy")))?;
        let grams_per_kwh = number * scale;
        if !(grams_per_kwh > 0.0 && grams_per_kwh <= MOST) {
            return Err(bad(format!(
                "{grams_per_kwh} gCO2e/kWh is no factor of this world"
            )));
        }
        Ok(Self {
            grams_per_kwh,
            source: source.map(str::to_owned),
        })
    }
}

/// Grams per kilowatt-hour of a unit.
fn scale(unit: &str) -> Option<f64> {
    let (mass, energy) = unit.split_once('/')?;
    let mass = mass.trim();
    let gas = ["CO2eq", "CO2e", "CO2"];
    let mass = gas
        .iter()
        .find_map(|gas| mass.strip_suffix(gas))
        .unwrap_or(mass);
    let grams = match mass.trim() {
        "g" => 1.0,
        "kg" => 1e3,
        _ => return None,
    };
    match energy.trim() {
        "kWh" => Some(grams),
        "MWh" => Some(grams / 1e3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    fn grams(text: &str) -> f64 {
        text.parse::<Carbon>().unwrap().grams_per_kwh
    }

    #[test]
    fn the_usual_units_are_understood() {
        for text in [
            "380gCO2e/kWh",
            "380 g/kWh",
            "380gCO2/kWh",
            "0.38kgCO2eq/kWh",
            "380 kg CO2e/MWh",
            "380gCO2e/kWh,source=x",
        ] {
            assert!((grams(text) - 380.0).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn the_factor_and_its_source_are_told() {
        let told = "380gCO2e/kWh,source=UBA, 2024".parse::<Carbon>().unwrap();
        assert_eq!(told.to_string(), "380 gCO2e/kWh (source: UBA, 2024)");
        let bare = "25.5g/kWh".parse::<Carbon>().unwrap();
        assert_eq!(bare.to_string(), "25.5 gCO2e/kWh (no source given)");
    }

    #[test]
    fn a_kilowatt_hour_is_3600_kilojoules() {
        let carbon = "500g/kWh".parse::<Carbon>().unwrap();
        let kwh = Microjoules(3_600_000 * 1_000_000);
        assert!((carbon.grams(kwh) - 500.0).abs() < 1e-9);
        assert!((carbon.grams_of_joules(3.6e6) - 500.0).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "380",
            "gCO2e/kWh",
            "-1g/kWh",
            "0g/kWh",
            "nang/kWh",
            "380g/J",
            "380lb/kWh",
            "380g/kWh,",
            "380g/kWh,from=x",
            "380g/kWh,source=",
            "1e9g/kWh",
            "99999999g/kWh",
        ] {
            assert!(text.parse::<Carbon>().is_err(), "{text}");
        }
    }
}
