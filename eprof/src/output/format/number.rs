//! Numbers for people: SI prefixes, and never more digits than the error
//! justifies.

/// A number with its half width, both in `unit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::output) struct Number {
    /// The value, rounded where its half width begins.
    pub(in crate::output) value: String,
    /// The half width with one or two digits, rounded up.
    pub(in crate::output) half: Option<String>,
    /// The unit with its prefix.
    pub(in crate::output) unit: String,
}

/// Digits of a value whose error is not known.
const PLAIN_DIGITS: i32 = 3;
/// More digits than this are of no use to a reader.
const MOST_DIGITS: i32 = 5;
/// Digits of an estimate.
const ESTIMATE_DIGITS: i32 = 2;

/// SI prefixes of what is given in base units, smallest first.
const PREFIXES: [(f64, &str); 6] = [
    (1e-9, "n"),
    (1e-6, "µ"),
    (1e-3, "m"),
    (1e0, ""),
    (1e3, "k"),
    (1e6, "M"),
];

/// The decimal exponent of the first digit of `x`, which is positive.
fn exponent(x: f64) -> i32 {
    x.log10().floor() as i32
}

/// `x` with `decimals` digits after the point; negative: rounded to tens, ….
fn rounded(x: f64, decimals: i32) -> String {
    if decimals >= 0 {
        format!("{x:.*}", decimals.min(12) as usize)
    } else {
        let step = 10f64.powi(-decimals);
        format!("{:.0}", (x / step).round() * step)
    }
}

/// Decimals with which `x`, which is positive, has `digits` significant ones;
/// also where rounding carries into a new digit (9.996 → 10.0).
fn significant(x: f64, digits: i32) -> i32 {
    let decimals = digits - 1 - exponent(x);
    let next = 10f64.powi(exponent(x) + 1);
    let carries = (x * 10f64.powi(decimals)).round() >= (next * 10f64.powi(decimals)).round();
    decimals - i32::from(carries)
}

/// The index of the prefix that leaves one to three digits before the point,
/// not below `least`.
fn prefix(x: f64, least: usize) -> usize {
    PREFIXES
        .iter()
        .rposition(|(scale, _)| x >= *scale)
        .unwrap_or(0)
        .max(least)
}

/// Decimals that a value may have whose error is `half`: one digit of the
/// error, two where it begins with 1 or 2 (as the Particle Data Group rounds).
fn justified(value: f64, half: f64) -> i32 {
    let first = exponent(half);
    let two = half / 10f64.powi(first) < 2.95;
    let by_error = i32::from(two) - first;
    if value <= half || value <= 0.0 {
        return by_error;
    }
    by_error.min(MOST_DIGITS - 1 - exponent(value))
}

/// `value ± half` in `unit`, both given in base units; `half` may be unknown.
/// The smallest prefix is `µ` (energies are integers of microjoules).
pub(in crate::output) fn with_error(value: f64, half: Option<f64>, unit: &str) -> Number {
    let half = half.filter(|half| half.is_finite() && *half > 0.0);
    let largest = value.max(half.unwrap_or(0.0));
    if largest <= 0.0 || !largest.is_finite() {
        return Number {
            value: "0".to_owned(),
            half: None,
            unit: unit.to_owned(),
        };
    }
    let by = if value > 0.0 { value } else { largest };
    let mut index = prefix(by, 1);
    loop {
        let (scale, letter) = PREFIXES[index];
        let (x, h) = (value / scale, half.map(|half| half / scale));
        let decimals = match h {
            Some(h) => justified(x, h),
            None if x > 0.0 => significant(x, PLAIN_DIGITS),
            None => 0,
        };
        // Microjoules are whole.
        let decimals = if index <= 1 {
            decimals.min(0)
        } else {
            decimals
        };
        // A value below its own error keeps one digit, so as not to read as
        // nothing.
        let own = if x > 0.0 && h.is_some_and(|h| h >= x) {
            decimals
                .max(-exponent(x))
                .min(if index <= 1 { 0 } else { 6 })
        } else {
            decimals
        };
        let shown = rounded(x, own);
        // 999.9 may round to 1000: then the next prefix is the right one.
        if index + 1 < PREFIXES.len() && shown.trim_start_matches('-').len() >= 4 && x >= 999.0 {
            index += 1;
            continue;
        }
        let half = h.map(|h| {
            let step = 10f64.powi(-decimals);
            rounded(((h / step) - 1e-9).ceil().max(1.0) * step, decimals)
        });
        return Number {
            value: shown,
            half,
            unit: format!("{letter}{unit}"),
        };
    }
}

/// An estimate: two digits, and the range that `band` (a factor below and one
/// above) gives, in the same unit.
pub(in crate::output) fn estimate(
    value: f64,
    band: Option<(f64, f64)>,
    unit: &str,
) -> (Number, String) {
    let two_digits = |x: f64| {
        if x > 0.0 && x.is_finite() {
            rounded(x, significant(x, ESTIMATE_DIGITS))
        } else {
            "0".to_owned()
        }
    };
    if value <= 0.0 || !value.is_finite() {
        return (with_error(0.0, None, unit), String::new());
    }
    let mut index = prefix(value, 1);
    if index + 1 < PREFIXES.len() && value / PREFIXES[index].0 >= 995.0 {
        index += 1;
    }
    let (scale, letter) = PREFIXES[index];
    let number = Number {
        value: format!("~{}", two_digits(value / scale)),
        half: None,
        unit: format!("{letter}{unit}"),
    };
    let range = band.map_or_else(String::new, |(low, high)| {
        format!(
            "{}–{}",
            two_digits(value * low / scale),
            two_digits(value * high / scale)
        )
    });
    (number, range)
}

impl Number {
    /// In running text: `42.3 ± 0.4 J`.
    pub(in crate::output) fn text(&self) -> String {
        match &self.half {
            Some(half) => format!("{} ± {half} {}", self.value, self.unit),
            None => format!("{} {}", self.value, self.unit),
        }
    }
}

/// A share in percent; `None` where the whole is nothing.
pub(in crate::output) fn percent(part: u64, whole: u64) -> Option<String> {
    if whole == 0 {
        return None;
    }
    let share = part as f64 / whole as f64 * 100.0;
    Some(if part == 0 {
        "0 %".to_owned()
    } else if share < 0.05 {
        "<0.1 %".to_owned()
    } else {
        format!("{share:.1} %")
    })
}

/// A length of time: `840 ms`, `12.3 s`, `12 m 34 s`, `3 h 12 m`.
pub(in crate::output) fn time(nanos: u64) -> String {
    let seconds = nanos as f64 / 1e9;
    if nanos == 0 {
        "0 s".to_owned()
    } else if seconds < 99.95 {
        let mut index = prefix(seconds, 0);
        if index < 3 && seconds / PREFIXES[index].0 >= 999.5 {
            index += 1;
        }
        let (scale, letter) = PREFIXES[index];
        let x = seconds / scale;
        let decimals = significant(x, PLAIN_DIGITS).clamp(0, 2);
        let decimals = if index == 0 { 0 } else { decimals };
        format!("{x:.*} {letter}s", decimals as usize)
    } else {
        let whole = (nanos + 500_000_000) / 1_000_000_000;
        if whole < 3600 {
            format!("{} m {:02} s", whole / 60, whole % 60)
        } else {
            format!("{} h {:02} m", whole / 3600, whole % 3600 / 60)
        }
    }
}

/// A count with thousands separated: `20,000`.
pub(in crate::output) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A large count: `48.30 G`.
pub(in crate::output) fn large(n: f64) -> String {
    match n {
        n if n >= 1e9 => format!("{:.2} G", n / 1e9),
        n if n >= 1e6 => format!("{:.2} M", n / 1e6),
        n => count(n.round() as u64),
    }
}

/// `1 thread`, `2 threads`, `20,000 threads`.
pub(in crate::output) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// An amount of memory in bytes: `14 MiB`.
pub(in crate::output) fn bytes(n: u64) -> String {
    const MIB: f64 = 1_048_576.0;
    if n < 1 << 20 {
        format!("{} KiB", n.div_ceil(1024))
    } else if n < 1 << 30 {
        format!("{:.0} MiB", n as f64 / MIB)
    } else {
        format!("{:.1} GiB", n as f64 / MIB / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: f64, half: Option<f64>) -> String {
        with_error(value, half, "J").text()
    }

    #[test]
    fn digits_end_where_the_error_begins() {
        assert_eq!(shown(42.318_123, Some(0.4)), "42.3 ± 0.4 J");
        assert_eq!(shown(42.318_123, Some(0.153)), "42.32 ± 0.16 J");
        assert_eq!(shown(847.0, Some(63.0)), "850 ± 70 J");
        assert_eq!(shown(0.312_4, Some(0.009)), "312 ± 9 mJ");
        assert_eq!(shown(1.2, Some(45.0)), "1 ± 50 J");
        assert_eq!(shown(42.318_123, Some(0.000_012)), "42.318 ± 0.001 J");
        assert_eq!(shown(0.0, Some(0.02)), "0 ± 20 mJ");
    }

    #[test]
    fn without_an_error_three_digits() {
        assert_eq!(shown(42.318, None), "42.3 J");
        assert_eq!(shown(0.0, None), "0 J");
        assert_eq!(shown(0.000_003, None), "3 µJ");
        assert_eq!(shown(0.999_96, None), "1.00 J");
        assert_eq!(shown(9.996, None), "10.0 J");
        assert_eq!(shown(999.6, None), "1.00 kJ");
        assert_eq!(shown(123_456.0, None), "123 kJ");
    }

    #[test]
    fn estimates_have_two_digits_and_a_range() {
        let (number, range) = estimate(42.318, Some((0.65, 1.5)), "J");
        assert_eq!((number.text().as_str(), range.as_str()), ("~42 J", "28–63"));
        assert_eq!(estimate(0.1234, None, "J").0.text(), "~120 mJ");
        assert_eq!(estimate(0.999, None, "J").0.text(), "~1.0 J");
        assert_eq!(estimate(0.0, None, "J").0.text(), "0 J");
    }

    #[test]
    fn shares_times_and_counts() {
        assert_eq!(percent(1, 0), None);
        assert_eq!(percent(0, 5).as_deref(), Some("0 %"));
        assert_eq!(percent(1, 100_000).as_deref(), Some("<0.1 %"));
        assert_eq!(percent(712, 1000).as_deref(), Some("71.2 %"));
        assert_eq!(time(840_000_000), "840 ms");
        assert_eq!(time(12_340_000_000), "12.3 s");
        assert_eq!(time(754_000_000_000), "12 m 34 s");
        assert_eq!(time(11_520_000_000_000), "3 h 12 m");
        assert_eq!(time(150), "150 ns");
        assert_eq!(count(20_000), "20,000");
        assert_eq!(bytes(14 << 20), "14 MiB");
    }
}
