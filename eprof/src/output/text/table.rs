//! Tables for people.
//!
//! Without colours and rules where the output is no terminal, within the
//! width of one where it is. Sums add up: rows that are not shown are summed
//! in a last row.

use std::io::{self, Write};

use crate::attribute::Account;
use crate::profile::{FunctionRow, Profile};

use super::grid::{Column, Give, Grid, LUXURY, Weight};
use super::signals::{self, SignalColumn};
use super::style::Style;
use super::{footer, header, ledger, runs};
use crate::output::format::energy::EnergyText;
use crate::output::format::number::{count, counted, percent, time};
use crate::output::format::sanitize::shorten_middle;
use crate::output::listing::{Entry, Listing, Rest, events};
use crate::output::view::{By, Sort, View};

/// Columns that a module's name may take beside a function's: in a narrow
/// terminal, and in one of at least [`BROAD`] columns.
const MODULE_WIDTH: (usize, usize) = (13, 20);
const BROAD: usize = 100;

/// Columns that the name of a run may take beside a process or thread.
const RUN_WIDTH: usize = 20;

/// Writes the summary, or the breakdown that `view` asks for.
///
/// # Errors
///
/// The error of `out`.
pub fn write(profile: &Profile, view: &View, style: Style, mut out: impl Write) -> io::Result<()> {
    let energy_text = EnergyText::of(profile);
    let mut parts = vec![header::lines(profile, energy_text, style)];
    let (few, many) = View::TABLE_ROWS;
    match view.by {
        Some(by) => parts.push(breakdown(profile, by, view, many, style)),
        None => {
            let ledger = ledger::lines(profile, energy_text, style);
            if !ledger.is_empty() {
                parts.push(titled("where the energy went", ledger, style));
            }
            if !profile.members.is_empty() {
                let most = view.limit.unwrap_or(few);
                let lines = runs::lines(profile, energy_text, most, style);
                parts.push(titled("runs", lines, style));
            }
            // A build or a loop has more processes than anyone wants to read,
            // of few names.
            let crowd = profile.processes.len() > view.limit.unwrap_or(few);
            let people = if crowd { By::Command } else { By::Process };
            parts.push(breakdown(profile, people, view, few, style));
            if !one_thread_each(profile) {
                parts.push(breakdown(profile, By::Thread, view, few, style));
            }
            if !profile.functions.is_empty() {
                parts.push(breakdown(profile, By::Function, view, few, style));
            }
        }
    }
    parts.push(footer::lines(profile, energy_text, style));
    for (at, part) in parts.iter().filter(|part| !part.is_empty()).enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        for line in part {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// Whether a table of threads would repeat the one of processes.
fn one_thread_each(profile: &Profile) -> bool {
    profile.threads.len() == profile.processes.len()
        && profile.processes.iter().all(|process| process.threads == 1)
        && profile
            .threads
            .iter()
            .all(|thread| thread.tid == thread.process.pid)
}

fn titled(title: &str, lines: Vec<String>, style: Style) -> Vec<String> {
    let mut titled = vec![style.bold(title)];
    titled.extend(lines);
    titled
}

fn breakdown(profile: &Profile, by: By, view: &View, most: usize, style: Style) -> Vec<String> {
    // An order that only another kind of rows has is the default one here.
    let sort = view.sort.filter(|_| {
        let own = View {
            by: Some(by),
            ..*view
        };
        own.check().is_ok()
    });
    let mut limit = view.limit.unwrap_or(most);
    if view.limit.is_none() && view.by.is_none() && by == By::Function {
        // Functions that only ever called others have nothing to show here.
        let own = |row: &&FunctionRow| row.own.with_idle.0 > 0 || row.samples > 0;
        limit = limit.min(profile.functions.iter().filter(own).count());
    }
    let listing = Listing::new(profile, by, sort, Some(limit));
    let title = match (by, one_thread_each(profile)) {
        (By::Process, true) if profile.processes.len() > 1 => "processes, of one thread each",
        (By::Function, _) if matches!(sort, None | Some(Sort::Energy)) => {
            "functions, by their own energy"
        }
        (By::Command, _) => &commands_title(profile),
        _ => by.plural(),
    };
    if listing.entries.is_empty() && listing.rest.rows == 0 {
        return vec![format!("{} none", style.bold(title))];
    }
    let rows = Rows::new(profile, by, style, view.by.is_some());
    titled(title, rows.lines(&listing), style)
}

fn commands_title(profile: &Profile) -> String {
    let processes = counted(profile.processes.len() as u64, "process", "processes");
    format!("{} ({processes})", By::Command.plural())
}

/// How one kind of rows becomes cells.
struct Rows {
    by: By,
    energy_text: EnergyText,
    style: Style,
    target: u64,
    /// Columns of what was counted.
    signals: Vec<SignalColumn>,
}

impl Rows {
    fn new(profile: &Profile, by: By, style: Style, detailed: bool) -> Self {
        Self {
            by,
            energy_text: EnergyText::of(profile),
            style,
            target: profile.ledger.account(Account::Target).with_idle.0,
            signals: if detailed {
                signals::columns(&events(profile, by))
            } else {
                Vec::new()
            },
        }
    }

    fn columns(&self) -> Vec<Column> {
        let half = self.energy_text.error_title();
        let mut columns = match self.by {
            By::Process => vec![
                Column::name("command", Give::End),
                Column::number("run").left().spare(1),
                Column::number("pid"),
                Column::number("threads").spare(4),
            ],
            By::Command => vec![
                Column::name("command", Give::End),
                Column::number("processes").spare(4),
            ],
            By::Thread => vec![
                Column::name("thread", Give::End),
                Column::number("run").left().spare(1),
                Column::number("tid"),
                Column::number("pid").spare(3),
            ],
            By::Function => vec![
                Column::name("function", Give::Middle),
                Column::number("module").left().spare(3),
            ],
            By::Module => vec![Column::name("module", Give::Middle)],
            By::Cpu => vec![Column::name("cpu", Give::End)],
        };
        let own = match self.by {
            By::Function => "self",
            _ => "energy",
        };
        let [value, half, unit] = Column::energy(own, half);
        // The range is the same factor for all rows, and said in the head.
        let half = if self.energy_text.estimated {
            half.spare(LUXURY)
        } else {
            half
        };
        columns.extend([value, half, unit]);
        columns.push(Column::number("share"));
        if self.style.rules {
            columns.push(Column::number("").left().spare(6));
        } else {
            columns.push(Column::number("above idle").spare(6));
        }
        match self.by {
            By::Function => {
                columns.push(Column::number("with callees").spare(2));
                columns.push(Column::number("samples").spare(5));
            }
            By::Module => columns.push(Column::number("samples").spare(5)),
            By::Thread | By::Process | By::Command | By::Cpu => {
                columns.push(Column::number("CPU time").spare(2));
                columns.push(Column::number("mean").spare(3));
            }
        }
        columns.extend(self.signals.iter().map(SignalColumn::column));
        columns
    }

    fn lines(&self, listing: &Listing) -> Vec<String> {
        let mut grid = Grid::new(self.columns());
        for entry in &listing.entries {
            grid.row(self.cells(entry), Weight::Plain);
        }
        if listing.rest.rows > 0 {
            grid.row(self.rest(&listing.rest), Weight::Faint);
        }
        grid.lines(self.style, 2)
    }

    fn cells(&self, entry: &Entry) -> Vec<String> {
        let mut cells = vec![entry.name.clone()];
        let run = || {
            let run = entry.run.as_deref().unwrap_or_default();
            shorten_middle(run, RUN_WIDTH).into_owned()
        };
        let number = |n: Option<u32>| n.map_or_else(String::new, |n| n.to_string());
        match self.by {
            By::Process => cells.extend([run(), number(entry.pid), number(entry.threads)]),
            By::Command => cells.push(entry.processes.map_or_else(String::new, count)),
            By::Thread => cells.extend([run(), number(entry.tid), number(entry.pid)]),
            By::Function => {
                let module = entry.module.as_deref().unwrap_or_default();
                let (narrow, broad) = MODULE_WIDTH;
                let width = if self.style.width < BROAD {
                    narrow
                } else {
                    broad
                };
                cells.push(shorten_middle(module, width).into_owned());
            }
            By::Module | By::Cpu => {}
        }
        let half = entry.ci90.map(|half| half.0);
        cells.extend(
            self.energy_text
                .cells(self.energy_text.with_idle(entry.energy), half),
        );
        self.shares(entry.energy, half, &mut cells);
        let samples = || entry.samples.map_or_else(|| "–".to_owned(), count);
        match self.by {
            By::Function => {
                let total = entry
                    .total
                    .and_then(|total| self.energy_text.with_idle(total));
                cells.push(self.energy_text.short(total, None));
                cells.push(samples());
            }
            By::Module => cells.push(samples()),
            By::Thread | By::Process | By::Command | By::Cpu => {
                let on_cpu = entry.on_cpu.map(|on_cpu| on_cpu.0);
                cells.push(on_cpu.map_or_else(|| "–".to_owned(), time));
                let full = self.energy_text.with_idle(entry.energy);
                cells.push(self.energy_text.watts(full, half, on_cpu));
            }
        }
        cells.extend(self.signals.iter().map(|of| of.cell(&entry.events)));
        cells
    }

    /// The share of the target, and a bar or the energy above idle.
    fn shares(&self, energy: crate::attribute::Energy, half: Option<u64>, cells: &mut Vec<String>) {
        let share = self
            .energy_text
            .with_idle(energy)
            .and_then(|full| percent(full, self.target));
        cells.push(share.unwrap_or_else(|| "–".to_owned()));
        cells.push(if self.style.rules {
            bar(energy.with_idle.0, self.target)
        } else {
            self.energy_text
                .short(self.energy_text.above_idle(energy), half)
        });
    }

    fn rest(&self, rest: &Rest) -> Vec<String> {
        let mut cells = vec![format!("… and {} more", counted_rows(rest.rows))];
        match self.by {
            By::Process | By::Thread => cells.extend([const { String::new() }; 3]),
            By::Command => cells.push(count(rest.processes)),
            By::Function => cells.push(String::new()),
            By::Module | By::Cpu => {}
        }
        let full = self.energy_text.with_idle(rest.energy);
        cells.extend(self.energy_text.cells(full, None));
        self.shares(rest.energy, None, &mut cells);
        match self.by {
            // Totals of functions contain one another.
            By::Function => cells.extend(["–".to_owned(), count(rest.samples)]),
            By::Module => cells.push(count(rest.samples)),
            By::Thread | By::Process | By::Command | By::Cpu => {
                cells.push(time(rest.on_cpu.0));
                cells.push(self.energy_text.watts(full, None, Some(rest.on_cpu.0)));
            }
        }
        cells.extend(self.signals.iter().map(|of| of.cell(&rest.events)));
        cells
    }
}

fn counted_rows(rows: usize) -> String {
    counted(rows as u64, "", "").trim_end().to_owned()
}

/// A bar of at most ten columns, in eighths.
fn bar(part: u64, whole: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if whole == 0 {
        return String::new();
    }
    let eighths = (part as f64 / whole as f64 * 80.0).round().clamp(0.0, 80.0) as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}
