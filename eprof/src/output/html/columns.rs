//! The columns of a table.

use maud::{Markup, html};

use super::super::format::energy::EnergyText;
use super::super::format::number::{count, percent, time};
use super::super::format::sanitize::harmless;
use super::super::listing::Entry;
use super::super::view::By;
use crate::unit::{Microjoules, Nanos};

/// A column: its head, what it contains, and what a row has there.
pub(super) struct Column<'c> {
    pub(super) head: &'static str,
    pub(super) kind: Kind,
    pub(super) cell: Box<dyn Fn(&Entry) -> Cell + 'c>,
}

/// What a column contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    Error,
    Bar,
}

impl Kind {
    /// The class of its cells.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Number => "n",
            Self::Error => "d",
            Self::Bar => "bar",
        }
    }
}

/// What stands in a cell, and what it is sorted by.
pub(super) struct Cell {
    pub(super) content: Markup,
    pub(super) value: Option<u64>,
}

impl Cell {
    fn text(content: Markup) -> Self {
        let value = None;
        Self { content, value }
    }

    fn number(value: Option<u64>, text: impl Fn(u64) -> String) -> Self {
        let content = html! { @if let Some(value) = value { (text(value)) } };
        Self { content, value }
    }

    fn integer(value: Option<u64>) -> Self {
        Self::number(value, |n| n.to_string())
    }
}

/// The upper end of a row's interval, microjoules.
pub(super) fn upper(energy_text: EnergyText, entry: &Entry) -> u64 {
    let half = half(energy_text, entry).unwrap_or(0);
    entry.energy.with_idle.0.saturating_add(half)
}

fn half(energy_text: EnergyText, entry: &Entry) -> Option<u64> {
    let ci90 = entry.ci90?;
    Some(energy_text.half(entry.energy.with_idle, ci90))
}

/// Columns, as they are added.
struct Columns<'c> {
    all: Vec<Column<'c>>,
    energy_text: EnergyText,
}

impl<'c> Columns<'c> {
    fn add(&mut self, head: &'static str, kind: Kind, cell: impl Fn(&Entry) -> Cell + 'c) {
        let cell = Box::new(cell);
        self.all.push(Column { head, kind, cell });
    }

    fn number(&mut self, head: &'static str, cell: impl Fn(&Entry) -> Cell + 'c) {
        self.add(head, Kind::Number, cell);
    }

    fn integer(&mut self, head: &'static str, value: impl Fn(&Entry) -> Option<u64> + 'c) {
        self.number(head, move |row| Cell::integer(value(row)));
    }

    /// An energy, with the digits that the row's interval allows.
    fn energy(&mut self, head: &'static str, uj: impl Fn(&Entry) -> Option<u64> + 'c) {
        let text = self.energy_text;
        self.number(head, move |row| {
            Cell::number(uj(row), |uj| {
                text.short(text.known.then_some(uj), half(text, row))
            })
        });
    }
}

/// The columns of rows of a kind; `target` is the sum of all rows, and `most`
/// where the scale of the bars ends, in microjoules.
pub(super) fn columns<'c>(
    by: By,
    energy_text: EnergyText,
    target: u64,
    most: u64,
) -> Vec<Column<'c>> {
    let mut columns = Columns {
        all: Vec::new(),
        energy_text,
    };
    names(&mut columns, by);
    columns.energy("energy", |row| Some(row.energy.with_idle.0));
    columns.add(energy_text.error_title(), Kind::Error, move |row| {
        error(energy_text, row)
    });
    columns.number("share", move |row| {
        let uj = row.energy.with_idle.0;
        let share = percent(uj, target).filter(|_| energy_text.known);
        Cell::number(Some(uj), |_| share.clone().unwrap_or_default())
    });
    columns.add("", Kind::Bar, move |row| bar(energy_text, row, most));
    if by == By::Function {
        columns.energy("with callees", |row| {
            row.total.map(|total| total.with_idle.0)
        });
    }
    if energy_text.above_idle {
        columns.energy("above idle", |row| Some(row.energy.above_idle.0));
    }
    if !matches!(by, By::Function | By::Module) {
        columns.number("CPU time", |row| {
            Cell::number(row.on_cpu.map(|Nanos(ns)| ns), time)
        });
        columns.number("while running", move |row| while_running(energy_text, row));
    }
    if by != By::Cpu {
        columns.number("samples", |row| Cell::number(row.samples, count));
    }
    columns.all
}

/// What a row is called, and what it is in.
fn names(columns: &mut Columns<'_>, by: By) {
    let one = match by {
        By::Process => "process",
        By::Command => "command",
        By::Thread => "thread",
        By::Function => "function",
        By::Module => "module",
        By::Cpu => "CPU",
    };
    columns.add(one, Kind::Name, |row| {
        Cell::text(html! { code { (row.name) } })
    });
    let pid = |row: &Entry| row.pid.map(u64::from);
    match by {
        By::Process => {
            columns.integer("pid", pid);
            columns.integer("threads", |row| row.threads.map(u64::from));
        }
        By::Command => columns.integer("processes", |row| row.processes),
        By::Thread => {
            columns.integer("pid", pid);
            columns.integer("tid", |row| row.tid.map(u64::from));
        }
        By::Function => columns.add("module", Kind::Name, |row| {
            let module = row.module.as_deref().unwrap_or("");
            Cell::text(html! { (harmless(module)) })
        }),
        By::Module | By::Cpu => {}
    }
}

fn error(energy_text: EnergyText, row: &Entry) -> Cell {
    let half = half(energy_text, row).filter(|_| energy_text.known);
    let [_, error, unit] = energy_text.cells(Some(row.energy.with_idle.0), half);
    Cell::text(html! {
        @if half.is_some() && !error.is_empty() { (error) "\u{a0}" (unit) }
    })
}

fn bar(energy_text: EnergyText, row: &Entry, most: u64) -> Cell {
    let part = |uj: u64| format!("{:.2}%", uj as f64 / most as f64 * 100.0);
    let uj = row.energy.with_idle.0;
    let half = half(energy_text, row).unwrap_or(0);
    let (low, high) = (uj.saturating_sub(half), uj.saturating_add(half));
    Cell::text(html! {
        @if energy_text.known {
            span {
                i style={ "width:" (part(uj)) } {}
                @if half > 0 {
                    b style={ "left:" (part(low)) ";width:" (part(high - low)) } {}
                }
            }
        }
    })
}

/// Mean power while the row was on a CPU.
fn while_running(energy_text: EnergyText, row: &Entry) -> Cell {
    let Some(Nanos(ns)) = row.on_cpu.filter(|ns| ns.0 > 0) else {
        return Cell::integer(None);
    };
    let Microjoules(uj) = row.energy.with_idle;
    let half = half(energy_text, row);
    let watts = energy_text.watts(energy_text.known.then_some(uj), half, Some(ns));
    let milliwatts = (uj as f64 / ns as f64 * 1e6) as u64;
    Cell::number(Some(milliwatts), |_| watts.clone())
}
