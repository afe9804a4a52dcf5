//! Two programs, or two versions of one, against each other: rows of their
//! profiles, matched by name, with the statistics of [`statistics`](crate::statistics).
//! Pure: profiles in, a [`Difference`] out.
//!
//! ```text
//! Profile, Profile, … ──► Side (base) ─┐
//! Profile, Profile, … ──► Side (new) ──┴─► Difference ──► output::diff
//!                                           │
//!                                          Gate: pass, undecided, exceeded
//! ```

mod caveats;
mod difference;
mod gate;
mod key;
mod metric;
mod question;
mod rows;
mod side;
mod values;

pub use difference::Difference;
pub use gate::{Gate, Outcome};
pub use key::{By, Key};
pub use metric::{Metric, MetricChoice};
pub use question::Question;
pub use rows::{LEAST_SHARE, Row, Table};
pub use side::{Instructions, Side};
pub use values::Values;
