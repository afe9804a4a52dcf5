//! A comparison for a pull request.

use std::io::{self, Write};

use crate::diff::{By, Difference, Metric, Outcome, Row, Table};
use crate::statistics::Verdict;

use super::super::format::number::counted;
use super::super::format::sanitize::visible;
use super::{DiffView, cells, sentence};

/// Writes the comparison of two files or directories called `names`.
///
/// # Errors
///
/// The error of `out`.
pub fn write(
    difference: &Difference,
    names: (&str, &str),
    view: &DiffView,
    mut out: impl Write,
) -> io::Result<()> {
    let out = &mut out;
    let metric = difference.metric;
    let gates = &difference.gates;
    let failed = difference.exceeded();
    let mark = match difference.total.verdict() {
        _ if failed => "❌",
        Verdict::Worse => "🔺",
        Verdict::Better => "🔽",
        Verdict::Undetected => "✅",
    };
    writeln!(
        out,
        "### {mark} eprof: {}\n",
        text(&sentence::verdict(difference))
    )?;
    for gate in gates {
        let mark = match gate.outcome() {
            Outcome::Exceeded => "❌",
            Outcome::Undecided => "⚠️",
            Outcome::Pass => "✅",
        };
        writeln!(out, "- {mark} {}", text(&sentence::gate(gate)))?;
    }
    if !gates.is_empty() {
        writeln!(out)?;
    }
    let (base, new) = names;
    let runs = |runs: usize| counted(runs as u64, "run", "runs");
    writeln!(
        out,
        "Base: {} ({}), new: {} ({}). Compared: {}.\n",
        code(base),
        runs(difference.base.runs),
        code(new),
        runs(difference.new.runs),
        text(&sentence::method(difference))
    )?;
    header(out, "target", "")?;
    line(out, (&metric.to_string(), ""), metric, &difference.total)?;
    if difference.domains.rows.len() > 1 {
        for row in &difference.domains.rows {
            let name = format!("{metric}, {}", cells::name(&row.key).0);
            line(out, (&name, ""), metric, row)?;
        }
    }
    for (other, row) in &difference.others {
        let estimated = difference.base.estimated || difference.new.estimated;
        let name = match other {
            Metric::Energy if estimated => "energy (estimated)".to_owned(),
            other => other.to_string(),
        };
        line(out, (&name, ""), *other, row)?;
    }
    line(out, ("run time", ""), Metric::CpuTime, &difference.duration)?;
    let kinds = view
        .by
        .map_or_else(|| vec![By::Command, By::Function], |by| vec![by]);
    for table in kinds.into_iter().filter_map(|by| difference.table(by)) {
        if table.rows.len() > 1 || view.by.is_some() {
            rows(out, metric, table, view)?;
        }
    }
    if !difference.caveats.is_empty() {
        let n = difference.caveats.len();
        let many = if n == 1 { "caveat" } else { "caveats" };
        writeln!(out, "\n<details><summary>{n} {many}</summary>\n")?;
        for caveat in &difference.caveats {
            let hint = caveat.hint.as_deref().map_or_else(String::new, |hint| {
                format!(" Hint: {}.", text(&visible(hint)))
            });
            writeln!(out, "- {}.{hint}", text(&visible(&caveat.sentence)))?;
        }
        writeln!(out, "\n</details>")?;
    }
    Ok(())
}

fn rows(out: &mut impl Write, metric: Metric, table: &Table, view: &DiffView) -> io::Result<()> {
    let (title, name, within) = cells::titles(table.by);
    let changed = table.rows.iter().filter(|row| row.changed()).count();
    writeln!(
        out,
        "\n<details{}><summary>{title}: {changed} of {} tested changed</summary>\n",
        if changed > 0 { " open" } else { "" },
        table.tested
    )?;
    header(out, name, within)?;
    let (shown, rest) = cells::shown(table, view.limit(), view.by.is_none());
    for row in shown {
        let (name, inside) = cells::name(&row.key);
        let inside = (!within.is_empty()).then(|| code(&inside));
        line(
            out,
            (&code(&name), &inside.unwrap_or_default()),
            metric,
            row,
        )?;
    }
    if let Some(rest) = rest {
        let sums = rest.sums.map_or_else(
            || "| | | | ".to_owned(),
            |(base, new)| {
                format!(
                    "| {} | {} | {} | ",
                    cells::value(metric, base),
                    cells::value(metric, new),
                    cells::signed(metric, new - base)
                )
            },
        );
        writeln!(out, "| {} | {sums}| | |", rest.label())?;
    }
    writeln!(out, "\n</details>")
}

fn header(out: &mut impl Write, name: &str, within: &str) -> io::Result<()> {
    writeln!(
        out,
        "| {name} | {within} | base | new | difference | change | interval | changed |\n\
         |:--|:--|--:|--:|--:|--:|--:|:--|"
    )
}

fn line(
    out: &mut impl Write,
    (name, within): (&str, &str),
    metric: Metric,
    row: &Row,
) -> io::Result<()> {
    let verdict = match row.verdict() {
        Verdict::Undetected => cells::verdict(row).to_owned(),
        _ => format!("**{}**", cells::verdict(row)),
    };
    writeln!(
        out,
        "| {name} | {within} | {} | {} | {} | {} | {} | {verdict} |",
        cells::value(metric, row.base),
        cells::value(metric, row.new),
        cells::signed(metric, row.difference()),
        cells::ratio(row),
        cells::interval(metric, row),
    )
}

/// Names as code; what would end the code or the cell is put differently.
/// (GitHub Flavored Markdown, sections 4.10 and 6.1.)
fn code(name: &str) -> String {
    match name {
        "" => String::new(),
        name => format!("`{}`", name.replace('`', "'").replace('|', "\\|")),
    }
}

/// Text without anything that Markdown or HTML would obey, except `code`.
fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '*' | '_' | '[' | ']' | '|' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}
