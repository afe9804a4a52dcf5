//! Values of a comparison as text.

use crate::diff::{By, Key, Metric, Row, Table};
use crate::statistics::{Interval, Verdict};

use super::super::format::number::{large, time, with_error};
use super::super::format::sanitize::visible;

/// A value of a metric.
pub(super) fn value(metric: Metric, x: f64) -> String {
    match metric {
        Metric::Energy => with_error(x / 1e6, None, "J").text(),
        Metric::CpuTime => time(x.round().max(0.0) as u64),
        Metric::Instructions => large(x.max(0.0)),
    }
}

/// A difference of a metric, with its sign.
pub(super) fn signed(metric: Metric, x: f64) -> String {
    let sign = if x < 0.0 { '-' } else { '+' };
    let shown = value(metric, x.abs());
    match shown.starts_with("0 ") || shown == "0" {
        true => shown,
        false => format!("{sign}{shown}"),
    }
}

/// A change by the part `x`: `+4.9 %`.
pub(super) fn change(x: f64) -> String {
    if x >= 9.995 {
        return format!("×{:.3}", x + 1.0)
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned();
    }
    format!("{} %", points(x))
}

fn points(x: f64) -> String {
    let percent = x * 100.0;
    // Two digits below one percent: limits are that small.
    let text = match percent.abs() {
        p if p < 0.995 => format!("{percent:+.2}"),
        p if p < 99.95 => format!("{percent:+.1}"),
        _ => format!("{percent:+.0}"),
    };
    match text.trim_start_matches(['+', '-']).trim_matches(['0', '.']) {
        "" => "0".to_owned(),
        _ => text,
    }
}

/// Both ends of a change: `+3.9 … +5.9 %`.
pub(super) fn changes(interval: Interval) -> String {
    if interval.high >= 9.995 {
        return format!("{} … {}", change(interval.low), change(interval.high));
    }
    format!("{} … {} %", points(interval.low), points(interval.high))
}

/// The change of a row; `new` or `gone` where one side has nothing.
pub(super) fn ratio(row: &Row) -> String {
    match row.ratio() {
        Some(_) if row.new <= 0.0 => "gone".to_owned(),
        Some(ratio) => change(ratio - 1.0),
        None if row.new > 0.0 => "new".to_owned(),
        None => "–".to_owned(),
    }
}

/// The interval of a row's change: of the ratio, or else of the difference.
pub(super) fn interval(metric: Metric, row: &Row) -> String {
    if let Some(interval) = row.ratio_interval() {
        return changes(interval.map(|ratio| ratio - 1.0));
    }
    row.difference_interval().map_or_else(
        || "–".to_owned(),
        |of| format!("{} … {}", signed(metric, of.low), signed(metric, of.high)),
    )
}

/// Whether a row has changed.
pub(super) fn verdict(row: &Row) -> &'static str {
    match (row.verdict(), row.tested) {
        (Verdict::Worse, _) => "more",
        (Verdict::Better, _) => "less",
        (Verdict::Undetected, Some(_)) => "no",
        (Verdict::Undetected, None) => "–",
    }
}

/// The name of a row, and what it is in.
pub(super) fn name(key: &Key) -> (String, String) {
    let shown = |name: &str| visible(name).into_owned();
    match key {
        Key::Target => ("target".to_owned(), String::new()),
        Key::Domain(domain) => ((*domain).to_owned(), String::new()),
        Key::Command(command) => (shown(command), String::new()),
        Key::Thread(command, thread) => (shown(thread), shown(command)),
        Key::Function(function, module) => (shown(function), module_name(module)),
        Key::Stack(command, thread, frames) => {
            let frames = frames.iter().map(|frame| shown(&frame.key.function));
            let path: Vec<String> = frames.collect();
            (
                path.join(" > "),
                format!("{}/{}", shown(command), shown(thread)),
            )
        }
    }
}

fn module_name(module: &str) -> String {
    match module {
        "" => String::new(),
        module => visible(module).into_owned(),
    }
}

/// What a kind of rows is called: the table, a row, what that is in.
pub(super) fn titles(by: Option<By>) -> (&'static str, &'static str, &'static str) {
    match by {
        None => ("domains", "domain", ""),
        Some(By::Command) => ("commands", "command", ""),
        Some(By::Thread) => ("threads", "thread", "command"),
        Some(By::Function) => ("functions, by their own cost", "function", "module"),
        Some(By::Inclusive) => ("functions, with what they call", "function", "module"),
        Some(By::Stack) => ("stacks", "stack", "thread"),
    }
}

/// The rows of a table to be shown, those that changed first, then those that
/// were tested; and the sum of the others. An `overview` has only rows that
/// were tested, if any were.
pub(super) fn shown(table: &Table, limit: usize, overview: bool) -> (Vec<&Row>, Option<Rest>) {
    let mut rows: Vec<&Row> = table.rows.iter().collect();
    rows.sort_by_key(|row| (!row.changed(), row.tested.is_none()));
    let most = match overview && table.tested > 0 {
        true => table.tested.min(limit),
        false => limit,
    };
    let rest = rows.split_off(most.min(rows.len()));
    let sums = (table.by != Some(By::Inclusive)).then(|| {
        let sum = |of: fn(&Row) -> f64| rest.iter().map(|row| of(row)).sum();
        (sum(|row| row.base), sum(|row| row.new))
    });
    let changed = rest.iter().filter(|row| row.changed()).count();
    let rest = (!rest.is_empty()).then_some(Rest {
        rows: rest.len(),
        changed,
        sums,
    });
    (rows, rest)
}

/// Rows that are not shown.
pub(super) struct Rest {
    pub(super) rows: usize,
    pub(super) changed: usize,
    pub(super) sums: Option<(f64, f64)>,
}

impl Rest {
    pub(super) fn label(&self) -> String {
        match self.changed {
            0 => format!("… and {} more", self.rows),
            n => format!("… and {} more, {n} of them changed", self.rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_digits_where_they_matter() {
        assert_eq!(change(0.0491), "+4.9 %");
        assert_eq!(change(-0.004_21), "-0.42 %");
        assert_eq!(change(0.0), "0 %");
        assert_eq!(change(-0.000_01), "0 %");
        assert_eq!(change(2.5), "+250 %");
        assert_eq!(change(11.5), "×12.5");
        let interval = Interval {
            low: -0.012,
            high: 0.059,
        };
        assert_eq!(changes(interval), "-1.2 … +5.9 %");
        assert_eq!(signed(Metric::Energy, -1500.0), "-1.50 mJ");
        assert_eq!(signed(Metric::CpuTime, 0.0), "0 s");
        assert_eq!(signed(Metric::Instructions, 48_295_919_533.0), "+48.30 G");
        assert_eq!(value(Metric::Instructions, 20_000.0), "20,000");
    }
}
