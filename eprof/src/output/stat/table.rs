//! The table of repeated runs.

use std::io::{self, Write};

use crate::caveat::Caveat;
use crate::repeat::results::{CommandRuns, Comparison};
use crate::repeat::{Measure, Results};
use crate::statistics::{Summary, Verdict};

use super::super::format::number::{Number, counted, with_error};
use super::super::format::sanitize::{shorten, visible, wrapped};
use super::super::text::footer;
use super::super::text::grid::{Column, Give, Grid, Weight};
use super::super::text::style::Style;

/// Writes the table.
///
/// # Errors
///
/// The error of `out`.
pub fn table(results: &Results, style: Style, mut out: impl Write) -> io::Result<()> {
    let mut parts = vec![header(results, style)];
    for one in &results.commands {
        parts.push(command(results, one, style));
    }
    if !results.comparisons.is_empty() {
        parts.push(comparisons(results, style));
    }
    let all = results.commands.iter().flat_map(|of| &of.caveats);
    let caveats: Vec<&Caveat> = all.chain(&results.caveats).collect();
    if !caveats.is_empty() {
        let mut lines = vec![style.dim("caveats")];
        lines.extend(footer::caveats(caveats, style));
        parts.push(lines);
    }
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        for line in part {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()
}

fn header(results: &Results, style: Style) -> Vec<String> {
    let rounds = counted(results.rounds as u64, "run", "runs");
    let commands = results.commands.len() as u64;
    let what = if commands == 1 {
        format!("{rounds} of 1 command")
    } else {
        format!(
            "{rounds} of each of {commands} commands, interleaved at random (--seed {})",
            results.seed
        )
    };
    let mut lines = vec![format!("{}{what}", style.dim("eprof stat: "))];
    let source = visible(&results.source);
    let how = if results.is_estimated() {
        "estimated"
    } else {
        "measured"
    };
    lines.push(format!("{}{how}: {source}", style.dim("  source    ")));
    if let Some(carbon) = &results.carbon {
        let factor = visible(&carbon.to_string()).into_owned();
        lines.push(format!("{}{factor}", style.dim("  carbon    ")));
    }
    if results.is_estimated() {
        let band = results.band.map_or_else(String::new, |(low, high)| {
            format!(" (90 %: × {low:.2} to × {high:.2})")
        });
        let sentence = format!(
            "The joules are estimated from CPU time, not measured: all of them may be off by the \
             same factor{band}. How runs and commands differ is how their CPU times do."
        );
        for line in wrapped(&sentence, style.width.saturating_sub(2)) {
            lines.push(style.warn(&format!("  {line}")));
        }
    }
    lines
}

fn command(results: &Results, of: &CommandRuns, style: Style) -> Vec<String> {
    let name = shorten(&visible(&of.command.name), style.width.saturating_sub(16)).into_owned();
    let runs = counted(of.runs.len() as u64, "run", "runs");
    let mut lines = vec![format!("{}  {}", style.bold(&name), style.dim(&runs))];
    if of.summaries.is_empty() {
        return lines;
    }
    let [mean, half, unit] = Column::energy("mean", "±90 %");
    let mut grid = Grid::new(vec![
        Column::name("", Give::End),
        mean,
        half,
        unit,
        Column::number("median"),
        Column::number("min"),
        Column::number("max"),
    ]);
    for (measure, summary) in &of.summaries {
        let estimated = results.is_estimated() && measure.is_energy();
        grid.row(
            cells(measure.name(), measure.unit(), summary, estimated, 1.0),
            Weight::Plain,
        );
        if let Some(carbon) = results
            .carbon
            .as_ref()
            .filter(|_| *measure == Measure::Energy)
        {
            let scale = carbon.grams_of_joules(1.0);
            grid.row(
                cells("carbon", "gCO2e", summary, estimated, scale),
                Weight::Plain,
            );
        }
    }
    lines.extend(grid.lines(style, 2));
    lines
}

/// The cells of a measure, in `unit` after multiplication by `scale`; all with
/// the digits that the interval of the mean allows.
fn cells(name: &str, unit: &str, summary: &Summary, estimated: bool, scale: f64) -> Vec<String> {
    let half = summary.interval.map(|interval| interval.half() * scale);
    let Number {
        value,
        half: shown,
        unit: mean_unit,
    } = with_error(summary.mean * scale, half, unit);
    let mark = if estimated { "~" } else { "" };
    let other = |value: f64| {
        let value = value * scale;
        let mut number = with_error(value, half.or(Some(value / 300.0)), unit);
        number.half = None;
        format!("{mark}{}", number.text())
    };
    vec![
        name.to_owned(),
        format!("{mark}{value}"),
        shown.map_or_else(String::new, |half| format!("±{half}")),
        mean_unit,
        other(summary.median),
        other(summary.min),
        other(summary.max),
    ]
}

fn comparisons(results: &Results, style: Style) -> Vec<String> {
    let name = |at: usize| {
        let command = results.commands.get(at);
        let name = command.map_or("", |of| of.command.name.as_str());
        shorten(&visible(name), style.width.saturating_sub(24)).into_owned()
    };
    let base = style.bold(&name(0));
    let mut lines = vec![format!("{} {base}", style.dim("against"))];
    for at in 1..results.commands.len() {
        lines.push(format!("  {}", style.bold(&name(at))));
        let of = results.comparisons.iter().filter(|of| of.command == at);
        for comparison in of {
            let lead = format!("    {:<14}", comparison.measure.name());
            let text = sentence(comparison);
            let room = style.width.saturating_sub(18);
            for (line_number, line) in wrapped(&text, room).into_iter().enumerate() {
                let lead = match line_number {
                    0 => style.dim(&lead),
                    _ => " ".repeat(18),
                };
                lines.push(format!("{lead}{line}"));
            }
        }
    }
    lines
}

/// A ratio with its interval, and the verdict.
fn sentence(of: &Comparison) -> String {
    let decimals = decimals(of.interval.half());
    let number = |x: f64| match x {
        x if x >= 100.0 => "100 and more".to_owned(),
        x => format!("{x:.decimals$}"),
    };
    let ratio = format!(
        "× {} ({}: {} to {})",
        number(of.ratio),
        of.confidence,
        number(of.interval.low),
        number(of.interval.high)
    );
    let change = (of.ratio - 1.0) * 100.0;
    match of.verdict {
        Verdict::Better => format!("{ratio}  better: {:.1} % less", -change),
        Verdict::Worse if of.ratio >= 2.0 => {
            format!("{ratio}  worse: {:.1} times as much", of.ratio)
        }
        Verdict::Worse => format!("{ratio}  worse: {change:.1} % more"),
        Verdict::Undetected => format!("{ratio}  {}", undetected(of, change)),
    }
}

fn undetected(of: &Comparison, change: f64) -> String {
    let runs = counted(of.contrast.runs.0 as u64, "run", "runs");
    let mut text = format!("no detectable difference with {runs}");
    // With a few runs that scatter, not even a doubling.
    if let Some(detectable) = of.detectable.filter(|detectable| *detectable < 1.0) {
        text.push_str(&format!(
            "; one of {:.1} % would probably be found",
            detectable * 100.0
        ));
    }
    match of.needed {
        Some(needed) => text.push_str(&format!(
            "; finding one of {change:+.1} % takes about {}",
            counted(needed as u64, "run", "runs")
        )),
        None => text.push_str(&format!(
            "; no reasonable number of runs finds one of {change:+.1} %"
        )),
    }
    text
}

/// Decimals of a ratio whose interval is ± `half`: to a tenth of that.
fn decimals(half: f64) -> usize {
    if half > 0.0 && half < 1.0 {
        (1.0 - half.log10().floor()).clamp(2.0, 5.0) as usize
    } else {
        2
    }
}
