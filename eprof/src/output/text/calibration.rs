//! What `eprof calibrate` found out: a table for people.

use std::fmt::Write as _;
use std::path::Path;

use super::grid::{Column, Give, Grid, Weight};
use super::style::Style;
use crate::calibrate::{Findings, MeterFindings, Model};
use crate::measurement::Domain;
use crate::output::format::number::{counted, with_error};
use crate::output::format::sanitize::visible;
use crate::power::{Errors, FittedTerm, Shape, Signal};

/// Half widths are those of 90 % intervals.
const NINETY: f64 = 1.645;

/// The findings for people, with the path they are saved in.
pub fn table(findings: &Findings, saved: Option<&Path>, style: Style) -> String {
    let mut text = String::new();
    let mut grid = Grid::new(vec![
        Column::name("METER", Give::Middle),
        Column::number("DOMAIN").left(),
        Column::number("IDLE POWER"),
    ]);
    for meter in &findings.meters {
        let idle = meter.idle.map_or_else(
            || "–".to_owned(),
            |(watts, sd)| with_error(watts, Some(sd * NINETY), "W").text(),
        );
        let domain = meter.domain.map_or("", Domain::name).to_owned();
        grid.row(
            vec![visible(&meter.name).into_owned(), domain, idle],
            Weight::Plain,
        );
    }
    write(&mut text, &grid.lines(style, 0));
    for meter in &findings.meters {
        if let Some(model) = &meter.model {
            text.push('\n');
            describe(&mut text, meter, model, style);
        }
        if let Some(refused) = &meter.refused {
            let name = visible(&meter.name);
            let _ = writeln!(
                text,
                "{}",
                style.warn(&format!("! no model of {name} is saved: {}", refused.why))
            );
            let _ = writeln!(text, "  hint: {}", refused.hint);
        }
    }
    if let Some(path) = saved {
        let _ = writeln!(text, "\nsaved: {}", visible(&path.display().to_string()));
    }
    text
}

fn write(text: &mut String, lines: &[String]) {
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
}

fn describe(text: &mut String, meter: &MeterFindings, model: &Model, style: Style) {
    let fit = &model.fit;
    let by = model.held_out_by;
    let title = format!("model of {}", visible(&meter.name));
    let _ = writeln!(
        text,
        "{}, {}, each {by} held out in turn",
        style.bold(&title),
        counted(fit.rows, "row", "rows")
    );
    let mut grid = Grid::new(vec![
        Column::name("SIGNAL", Give::End),
        Column::number("FROM"),
        Column::number("TO"),
        Column::number("COSTS"),
    ]);
    let n = fit.terms.len();
    for (at, term) in fit.terms.iter().enumerate() {
        let sd = fit
            .covariance
            .get(at * n + at)
            .map_or(0.0, |v| v.max(0.0).sqrt());
        grid.row(row(term, &model.signals[term.column], sd), Weight::Plain);
    }
    let intercept = with_error(fit.intercept, Some(fit.intercept_sd * NINETY), "W").text();
    let bare = vec![
        "nothing".to_owned(),
        String::new(),
        String::new(),
        intercept,
    ];
    grid.row(bare, Weight::Faint);
    write(text, &grid.lines(style, 2));
    let mut grid = Grid::new(vec![
        Column::name("ERRORS", Give::End),
        Column::number("MAE"),
        Column::number("RMSE"),
        Column::number("MAPE"),
        Column::number("R²"),
    ]);
    grid.row(errors("this model", fit.held_out), Weight::Plain);
    grid.row(errors("CPU time alone", fit.time_share), Weight::Faint);
    write(text, &grid.lines(style, 2));
    let _ = writeln!(text, "  condition number {}", Rounded(fit.health.condition));
    for (signal, why) in &model.left_out {
        let _ = writeln!(text, "  {signal} is left out: it {why}");
    }
}

/// A number that may be infinite.
struct Rounded(f64);

impl std::fmt::Display for Rounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_finite() {
            write!(f, "{:.1}", self.0)
        } else {
            f.write_str("infinite")
        }
    }
}

/// Time in watts of a busy CPU, all else in joules each.
fn row(term: &FittedTerm, signal: &Signal, sd: f64) -> Vec<String> {
    let is_time = signal.is_time();
    let rate = |rate: f64| {
        if is_time {
            format!("{:.2} CPUs", rate / 1e9)
        } else {
            with_error(rate, None, "/s").text()
        }
    };
    let (from, to) = match term.shape {
        Shape::Linear => (String::new(), String::new()),
        Shape::Ramp { from, to } => (rate(from), to.map_or_else(String::new, rate)),
    };
    let costs = if is_time {
        format!(
            "{}/CPU",
            with_error(term.weight * 1e9, Some(sd * NINETY * 1e9), "W").text()
        )
    } else {
        // Nanojoules: below the smallest prefix of energies.
        let (value, half) = (term.weight * 1e9, sd * NINETY * 1e9);
        format!("{} nJ", decimal(value, half))
    };
    vec![signal.to_string(), from, to, costs]
}

/// `value ± half` with as many digits as the error justifies.
fn decimal(value: f64, half: f64) -> String {
    if !(half.is_finite() && half > 0.0) {
        return format!("{value:.3}");
    }
    let decimals = (1.0 - half.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.decimals$} ± {half:.decimals$}")
}

fn errors(name: &str, errors: Errors) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.2} W", errors.mae),
        format!("{:.2} W", errors.rmse),
        format!("{:.1} %", errors.mape * 100.0),
        format!("{:.3}", errors.r2),
    ]
}
