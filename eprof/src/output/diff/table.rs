//! A comparison as tables for people.

use std::io::{self, Write};

use crate::diff::{Difference, Metric, Outcome, Row, Table};
use crate::statistics::Verdict;

use super::super::format::number::{counted, time};
use super::super::format::sanitize::{shorten_middle, visible, wrapped};
use super::super::text::footer;
use super::super::text::grid::{Column, Give, Grid, LUXURY, Weight};
use super::super::text::style::Style;
use super::{DiffView, cells, sentence};

/// Columns that the name of a module, command or thread may take.
const WITHIN_WIDTH: usize = 20;

/// Writes the comparison of two files or directories called `names`.
///
/// # Errors
///
/// The error of `out`.
pub fn write(
    difference: &Difference,
    names: (&str, &str),
    view: &DiffView,
    style: Style,
    mut out: impl Write,
) -> io::Result<()> {
    let mut lines = head(difference, names, style);
    lines.push(String::new());
    lines.extend(total(difference, style));
    for by in view.kinds(difference) {
        if let Some(table) = difference.table(by) {
            lines.push(String::new());
            lines.extend(rows(difference.metric, table, view, style));
        }
    }
    if !difference.gates.is_empty() {
        lines.push(String::new());
        lines.push(style.bold("gate"));
        for gate in &difference.gates {
            for (at, line) in wrapped(&sentence::gate(gate), style.width.saturating_sub(4))
                .into_iter()
                .enumerate()
            {
                let line = match gate.outcome() {
                    Outcome::Pass => line,
                    _ => style.warn(&line),
                };
                lines.push(format!("  {}{line}", if at == 0 { "" } else { "  " }));
            }
        }
    }
    lines.extend(caveats(difference, style));
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn head(difference: &Difference, (base, new): (&str, &str), style: Style) -> Vec<String> {
    let side = |name: &str, runs: usize| {
        let runs = counted(runs as u64, "run", "runs");
        format!("{} ({runs})", visible(name))
    };
    let base = side(base, difference.base.runs);
    let new = side(new, difference.new.runs);
    let mut lines = vec![format!(
        "{}{}{}{}",
        style.dim("eprof diff: "),
        style.bold(&base),
        style.dim(" against "),
        style.bold(&new)
    )];
    let mut fact = |label: &str, text: &str, warn: bool| {
        let wrapped = wrapped(text, style.width.saturating_sub(12));
        for (at, line) in wrapped.into_iter().enumerate() {
            let label = format!("  {:<10}", if at == 0 { label } else { "" });
            let line = if warn { style.warn(&line) } else { line };
            lines.push(format!("{}{line}", style.dim(&label)).trim_end().to_owned());
        }
    };
    fact("compared", &sentence::method(difference), false);
    let worse = difference.total.verdict() == Verdict::Worse;
    fact("verdict", &sentence::verdict(difference), worse);
    lines
}

/// The target: what was compared, and what else is known.
fn total(difference: &Difference, style: Style) -> Vec<String> {
    let mut grid = Grid::new(columns("target", ""));
    let metric = difference.metric;
    let mut push = |name: String, metric: Metric, row: &Row| {
        grid.row(row_cells(&name, "", metric, row), weight(row));
    };
    push(metric.to_string(), metric, &difference.total);
    if difference.domains.rows.len() > 1 {
        for row in &difference.domains.rows {
            push(format!("  {}", cells::name(&row.key).0), metric, row);
        }
    }
    for (other, row) in &difference.others {
        let estimated = difference.base.estimated || difference.new.estimated;
        let name = match other {
            Metric::Energy if estimated => "energy (estimated)".to_owned(),
            other => other.to_string(),
        };
        push(name, *other, row);
    }
    push("run time".to_owned(), Metric::CpuTime, &difference.duration);
    grid.lines(style, 2)
}

fn columns(name: &'static str, within: &'static str) -> Vec<Column> {
    vec![
        Column::name(name, Give::Middle),
        Column::number(within).left().spare(3),
        Column::number("base").spare(2),
        Column::number("new"),
        Column::number("difference").spare(LUXURY),
        Column::number("change"),
        Column::number("interval").spare(1),
        Column::number("changed").left(),
    ]
}

fn row_cells(name: &str, within: &str, metric: Metric, row: &Row) -> Vec<String> {
    vec![
        name.to_owned(),
        shorten_middle(within, WITHIN_WIDTH).into_owned(),
        cells::value(metric, row.base),
        cells::value(metric, row.new),
        cells::signed(metric, row.difference()),
        cells::ratio(row),
        cells::interval(metric, row),
        cells::verdict(row).to_owned(),
    ]
}

fn weight(row: &Row) -> Weight {
    match row.verdict() {
        Verdict::Undetected => Weight::Plain,
        _ => Weight::Strong,
    }
}

fn rows(metric: Metric, table: &Table, view: &DiffView, style: Style) -> Vec<String> {
    let (title, name, within) = cells::titles(table.by);
    let changed = table.rows.iter().filter(|row| row.changed()).count();
    let mut lines = vec![format!(
        "{} {}",
        style.bold(title),
        style.dim(&format!("({changed} of {} tested changed)", table.tested))
    )];
    let mut grid = Grid::new(columns(name, within));
    let (shown, rest) = cells::shown(table, view.limit(), view.by.is_none());
    for row in shown {
        let (name, within) = cells::name(&row.key);
        grid.row(row_cells(&name, &within, metric, row), weight(row));
    }
    if let Some(rest) = rest {
        let mut line = vec![rest.label(), String::new()];
        if let Some((base, new)) = rest.sums {
            line.push(cells::value(metric, base));
            line.push(cells::value(metric, new));
            line.push(cells::signed(metric, new - base));
        }
        line.resize(8, String::new());
        grid.row(line, Weight::Faint);
    }
    lines.extend(grid.lines(style, 2));
    lines
}

fn caveats(difference: &Difference, style: Style) -> Vec<String> {
    if difference.caveats.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), style.dim("caveats")];
    lines.extend(footer::caveats(&difference.caveats, style));
    lines
}

/// The mean run time of a side, for subtitles.
pub(super) fn mean_time(durations: &[f64]) -> String {
    let mean = durations.iter().sum::<f64>() / durations.len().max(1) as f64;
    time(mean.round().max(0.0) as u64)
}
