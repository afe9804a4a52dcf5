//! Tables that fit: the columns of a report laid out for a given width.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle,
};

use super::style::Style;
use crate::output::format::sanitize::{columns, shorten, shorten_middle};

/// A rule below the head, and nothing else. (Any junction would widen the gaps
/// between columns.)
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// Where a cell's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::output) enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// How the one column that gives way is shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::output) enum Give {
    /// At the end.
    End,
    /// In the middle, at the same place in every row.
    Middle,
}

/// One column.
#[derive(Clone, Debug)]
pub(in crate::output) struct Column {
    title: &'static str,
    align: Align,
    /// Spaces before it.
    gap: u16,
    /// Left out first where the width does not do: highest first; 0 stays.
    spare: u8,
    give: Option<Give>,
}

impl Column {
    /// A column of names that gives way where the width does not do.
    pub(in crate::output) fn name(title: &'static str, give: Give) -> Self {
        Self {
            title,
            align: Align::Left,
            gap: 0,
            spare: 0,
            give: Some(give),
        }
    }

    /// A column of numbers.
    pub(in crate::output) fn number(title: &'static str) -> Self {
        Self {
            title,
            align: Align::Right,
            gap: 2,
            spare: 0,
            give: None,
        }
    }

    /// The three columns of [`crate::output::format::energy::EnergyText::cells`].
    pub(in crate::output) fn energy(title: &'static str, half: &'static str) -> [Self; 3] {
        [
            Self::number(title),
            Self {
                gap: 1,
                align: Align::Left,
                spare: 1,
                ..Self::number(half)
            },
            Self {
                gap: 1,
                align: Align::Left,
                ..Self::number("")
            },
        ]
    }

    /// Text stands left.
    pub(in crate::output) fn left(self) -> Self {
        Self {
            align: Align::Left,
            ..self
        }
    }

    /// May be left out, the sooner the higher `spare`.
    pub(in crate::output) fn spare(self, spare: u8) -> Self {
        Self { spare, ..self }
    }
}

/// How much a row matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::output) enum Weight {
    /// As any other.
    Plain,
    /// What the reader looks for.
    Strong,
    /// Sums and remainders.
    Faint,
}

/// A table before it is laid out.
#[derive(Clone, Debug)]
pub(in crate::output) struct Grid {
    columns: Vec<Column>,
    rows: Vec<(Vec<String>, Weight)>,
}

/// Columns that a name keeps before a column is left out that is good to have.
const NAME_LEAST: usize = 16;
/// The same for a column that is a luxury.
const NAME_COMFORT: usize = 40;
/// From here on, [`Column::spare`] says luxury.
pub(in crate::output) const LUXURY: u8 = 5;

impl Grid {
    /// A table with these columns and no rows.
    pub(in crate::output) fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row: one cell per column.
    pub(in crate::output) fn row(&mut self, cells: Vec<String>, weight: Weight) {
        self.rows.push((cells, weight));
    }

    /// The width of a column's longest cell, with the gap before it.
    fn breadth(&self, index: usize) -> usize {
        let column = &self.columns[index];
        let cells = self.rows.iter().filter_map(|(cells, _)| cells.get(index));
        let widest = cells.map(|cell| columns(cell)).max().unwrap_or(0);
        widest.max(columns(column.title)) + usize::from(column.gap)
    }

    /// Which columns are shown in `width`, and the width left for the one
    /// that gives way.
    fn fit(&self, width: usize) -> (Vec<usize>, usize) {
        let empty = |index: &usize| {
            let mut cells = self.rows.iter().filter_map(|(cells, _)| cells.get(*index));
            cells.all(|cell| cell.is_empty())
        };
        let mut shown: Vec<usize> = (0..self.columns.len()).filter(|i| !empty(i)).collect();
        loop {
            let rigid = |index: &&usize| self.columns[**index].give.is_none();
            let taken: usize = shown.iter().filter(rigid).map(|i| self.breadth(*i)).sum();
            let names = shown.iter().filter(|index| !rigid(index));
            let wanted: usize = names.map(|i| self.breadth(*i)).sum();
            let spare = shown.iter().copied().enumerate();
            let spare = spare.map(|(at, index)| (at, self.columns[index].spare));
            let (at, spare) = spare.max_by_key(|(_, spare)| *spare).unwrap_or((0, 0));
            let least = if spare >= LUXURY {
                NAME_COMFORT
            } else {
                NAME_LEAST
            };
            if taken + wanted.min(least) <= width {
                return (shown, width - taken);
            }
            if spare == 0 {
                return (shown, width.saturating_sub(taken).max(4));
            }
            shown.remove(at);
        }
    }

    /// The lines, each indented by `indent` spaces.
    pub(in crate::output) fn lines(&self, style: Style, indent: usize) -> Vec<String> {
        let (shown, room) = self.fit(style.width.saturating_sub(indent));
        let mut table = Table::new();
        table
            .load_style(if style.rules {
                RULED
            } else {
                TableStyle::new()
            })
            .force_no_tty()
            .set_content_arrangement(ContentArrangement::Disabled);
        if style.colour {
            table.enforce_styling();
            table.style_text_only();
        }
        table.set_header(shown.iter().map(|index| {
            let column = &self.columns[*index];
            cell(column.title, column.align).add_attribute(Attribute::Dim)
        }));
        for (cells, weight) in &self.rows {
            table.add_row(shown.iter().map(|index| {
                let column = &self.columns[*index];
                let text = cells.get(*index).map_or("", String::as_str);
                let text = match column.give {
                    Some(Give::End) => shorten(text, room),
                    Some(Give::Middle) => shorten_middle(text, room),
                    None => text.into(),
                };
                let cell = cell(&text, column.align);
                match weight {
                    Weight::Plain => cell,
                    Weight::Strong => cell.fg(Color::DarkGreen).add_attribute(Attribute::Bold),
                    Weight::Faint => cell.add_attribute(Attribute::Dim),
                }
            }));
        }
        for (at, index) in shown.iter().enumerate() {
            if let Some(column) = table.column_mut(at) {
                column.set_padding((self.columns[*index].gap, 0));
            }
        }
        let margin = " ".repeat(indent);
        table
            .lines()
            .enumerate()
            .map(|(at, line)| match at {
                1 if style.rules => format!("{margin}{}", style.dim(&line)),
                _ => format!("{margin}{}", line.trim_end()),
            })
            .collect()
    }
}

fn cell(text: &str, align: Align) -> Cell {
    Cell::new(text).set_alignment(match align {
        Align::Left => CellAlignment::Left,
        Align::Right => CellAlignment::Right,
    })
}
