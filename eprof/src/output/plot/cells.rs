//! Bins as columns of a picture.

use crate::profile::{Bins, MeterSeries, PowerSeries};
use crate::unit::{Nanos, Timestamp};

use super::axis::TimeAxis;

/// A bin of which something is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// Which bin.
    pub(super) bin: u32,
    /// From here …
    pub(super) left: f64,
    /// … to there, in pixels.
    pub(super) right: f64,
    /// Time for which the energy is known, nanoseconds.
    pub(super) known: u64,
}

/// With more of a bin known, it is drawn as a whole.
const WHOLE: f64 = 0.9;

/// The cells of a meter. Where a part of a bin is unknown, that part is not
/// drawn: at its end, or at its beginning where nothing was known before.
pub(super) fn cells(series: &PowerSeries, meter: &MeterSeries, time: &TimeAxis) -> Vec<Cell> {
    let grain = &series.grain;
    let known: Vec<(u32, u64)> = meter.known.iter().collect();
    let mut cells = Vec::with_capacity(known.len());
    for (at, &(bin, known_ns)) in known.iter().enumerate() {
        let begin = grain.begin + Nanos(grain.width.0.saturating_mul(u64::from(bin)));
        let end = begin + grain.width;
        let follows = known.get(at + 1).is_some_and(|next| next.0 == bin + 1);
        let preceded = at > 0 && known[at - 1].0 + 1 == bin;
        let known_ns = known_ns.min(grain.width.0);
        let whole = known_ns as f64 >= WHOLE * grain.width.0 as f64;
        let (from, to): (Timestamp, Timestamp) = match (whole, preceded, follows) {
            (true, _, true) => (begin, end),
            (_, false, true) => (Timestamp(end.0.saturating_sub(known_ns)), end),
            _ => (begin, begin + Nanos(known_ns)),
        };
        cells.push(Cell {
            bin,
            left: time.x(from),
            right: time.x(to),
            known: known_ns.max(1),
        });
    }
    cells
}

/// Mean power in each cell, watts.
pub(super) fn watts(bins: &Bins, cells: &[Cell]) -> Vec<f64> {
    let mut bins = bins.iter().peekable();
    let one = |cell: &Cell| {
        while bins.peek().is_some_and(|&(bin, _)| bin < cell.bin) {
            bins.next();
        }
        match bins.peek() {
            // µJ / ns = kW
            Some(&(bin, uj)) if bin == cell.bin => uj as f64 / cell.known as f64 * 1e3,
            _ => 0.0,
        }
    };
    cells.iter().map(one).collect()
}

/// Where nothing is known between the edges of the axis: (from, to) in
/// pixels.
pub(super) fn gaps(cells: &[Cell], left: f64, right: f64) -> Vec<(f64, f64)> {
    let mut gaps = Vec::new();
    let mut at = left;
    for cell in cells {
        if cell.left - at > 1.0 {
            gaps.push((at, cell.left));
        }
        at = at.max(cell.right);
    }
    if right - at > 1.0 {
        gaps.push((at, right));
    }
    gaps
}

/// Whether a cell begins where the one before it ends.
pub(super) fn joined(before: &Cell, cell: &Cell) -> bool {
    (cell.left - before.right).abs() < 0.05
}
