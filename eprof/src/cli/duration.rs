//! Durations as people type them: `50ms`, `1.5s`, `2m`, `10` (seconds).

use std::time::Duration;

/// Parses a duration with an optional unit (`us`, `ms`, `s`, `m`, `h`;
/// seconds without one).
///
/// # Errors
///
/// One sentence, for clap to print, where the text is no such duration.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds_per_unit = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("unknown unit '{other}': use us, ms, s, m or h")),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("'{text}' is not a duration such as 50ms, 1.5s or 2m"))?;
    Duration::try_from_secs_f64(number * seconds_per_unit)
        .map_err(|_| format!("'{text}' is too long"))
}

/// Parses a duration between 1 ms and 10 s: shorter intervals cost more than
/// they show (the registers are updated about every millisecond), and longer ones
/// blur what ran when.
///
/// # Errors
///
/// As [`parse`], and outside that range.
pub(super) fn parse_interval(text: &str) -> Result<Duration, String> {
    let duration = parse(text)?;
    let range = Duration::from_millis(1)..=Duration::from_secs(10);
    if range.contains(&duration) {
        Ok(duration)
    } else {
        Err("an interval lies between 1ms and 10s".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings() {
        for (text, millis) in [
            ("50ms", 50),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("10", 10_000),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        for text in ["", "s", "-1s", "1.2.3s", "5 parsecs", "1e400s", "NaN"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("99999999999999999999h").is_err());
        assert!(parse_interval("0").is_err());
        assert!(parse_interval("1h").is_err());
    }
}
