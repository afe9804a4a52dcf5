//! The table of errors.

use crate::bounds::{self, Verdict};
use crate::compare::{Column, Outcome};

const COLUMNS: [(Column, &str); 14] = [
    (Column::Conserved, "off µJ"),
    (Column::Meter, "meter"),
    (Column::ThreadsMean, "mean %"),
    (Column::ThreadsWorst, "worst %"),
    (Column::Counted, "counted %"),
    (Column::Twins, "twins %"),
    (Column::Functions, "func %"),
    (Column::Missing, "missing"),
    (Column::Sum, "sum %"),
    (Column::Timing, "timing %"),
    (Column::Deviations, "timing σ"),
    (Column::Unsure, "unsure %"),
    (Column::Uncovered, "covered"),
    (Column::Unsaid, "unsaid"),
];

/// Prints the table, what the notes say, and the verdicts.
pub fn print(outcomes: &[Outcome], verdicts: &[Verdict]) {
    print!("\n{:<32} {:<7} {:<9}", "scenario", "law", "weights");
    for (_, name) in COLUMNS {
        print!(" {name:>9}");
    }
    println!();
    for outcome in outcomes {
        let law = match outcome.counters {
            true => outcome.law.clone(),
            false => format!("{}*", outcome.law),
        };
        print!("{:<32} {law:<7} {:<9}", outcome.name, outcome.weights);
        for (column, _) in COLUMNS {
            print!(" {:>9}", cell(outcome, column));
        }
        println!();
    }
    println!(
        "\n  * without (good) counters   ! beyond its bound   meter: in updates of the registers (1.003 ms)"
    );
    let (covered, all) = bounds::coverage(outcomes);
    println!(
        "  90 % intervals hold the truth in {covered} of {all} rows ({:.0} %) of {} runs",
        100.0 * covered as f64 / all.max(1) as f64,
        outcomes.len()
    );
    println!();
    for outcome in outcomes {
        for figure in &outcome.figures {
            if !figure.note.is_empty() && figure.column != Column::Uncovered {
                println!(
                    "  {}: {:?} {:.2} ({})",
                    outcome.name, figure.column, figure.value, figure.note
                );
            }
        }
    }
    println!();
    for verdict in verdicts {
        match verdict {
            Verdict::Broken(what) => println!("BROKEN   {what}"),
            Verdict::Pending(what) => println!("pending  {what}"),
        }
    }
}

fn cell(outcome: &Outcome, column: Column) -> String {
    if outcome.failure.is_some() {
        return "failed".into();
    }
    if column == Column::Uncovered {
        return format!("{}/{}", outcome.covered.0, outcome.covered.1);
    }
    let Some(figure) = outcome
        .figures
        .iter()
        .find(|figure| figure.column == column)
    else {
        return String::new();
    };
    let beyond = figure.bound.is_some_and(|bound| figure.value > bound);
    let mark = if beyond { "!" } else { "" };
    match column {
        Column::Conserved | Column::Missing | Column::Unsaid => {
            format!("{mark}{:.0}", figure.value)
        }
        _ => format!("{mark}{:.2}", figure.value),
    }
}
