//! Steps as SVG paths.

use std::fmt::Write as _;

use super::cells::{Cell, joined};

/// A coordinate with one decimal, as short as it can be.
pub(super) fn short(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// The area between two step lines; `low` and `high` are the places of each
/// cell's lower and upper edge in pixels from the top. Cells without any
/// height are left out.
pub(super) fn area(cells: &[Cell], low: &[f64], high: &[f64]) -> String {
    let mut path = String::new();
    let tall = |at: usize| low[at] - high[at] > 0.02;
    let mut at = 0;
    while at < cells.len() {
        let begin = at;
        while at < cells.len() && tall(at) && (at == begin || joined(&cells[at - 1], &cells[at])) {
            at += 1;
        }
        if at == begin {
            at += 1;
            continue;
        }
        let _ = write!(path, "M{} {}", short(cells[begin].left), short(high[begin]));
        let mut pen = Pen {
            y: short(high[begin]),
            path: &mut path,
        };
        for i in begin..at {
            pen.vertical(high[i]);
            pen.horizontal(cells[i].right, i + 1 == at || short(high[i + 1]) != pen.y);
        }
        for i in (begin..at).rev() {
            pen.vertical(low[i]);
            pen.horizontal(cells[i].left, i == begin || short(low[i - 1]) != pen.y);
        }
        path.push('Z');
    }
    path
}

/// The step line along the upper edges, broken where cells do not join.
pub(super) fn line(cells: &[Cell], high: &[f64]) -> String {
    let mut path = String::new();
    for (at, cell) in cells.iter().enumerate() {
        if at == 0 || !joined(&cells[at - 1], cell) {
            let _ = write!(path, "M{} {}", short(cell.left), short(high[at]));
        } else {
            let _ = write!(path, "V{}", short(high[at]));
        }
        let _ = write!(path, "H{}", short(cell.right));
    }
    path
}

struct Pen<'p> {
    y: String,
    path: &'p mut String,
}

impl Pen<'_> {
    fn vertical(&mut self, y: f64) {
        let y = short(y);
        if y != self.y {
            let _ = write!(self.path, "V{y}");
            self.y = y;
        }
    }

    /// Only where the line turns: between, it would say nothing.
    fn horizontal(&mut self, x: f64, turns: bool) {
        if turns {
            let _ = write!(self.path, "H{}", short(x));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(bin: u32, left: f64, right: f64) -> Cell {
        Cell {
            bin,
            left,
            right,
            known: 1,
        }
    }

    #[test]
    fn an_area_goes_there_above_and_back_below() {
        let cells = [cell(0, 0.0, 2.0), cell(1, 2.0, 4.0), cell(3, 6.0, 8.0)];
        let path = area(&cells, &[10.0, 10.0, 10.0], &[5.0, 7.5, 10.0]);
        assert_eq!(path, "M0 5H2V7.5H4V10H0Z");
        let path = line(&cells, &[5.0, 7.5, 9.0]);
        assert_eq!(path, "M0 5H2V7.5H4M6 9H8");
    }
}
