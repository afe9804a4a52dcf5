//! Power over time: an SVG with a panel for each meter, in which those who
//! used most lie on top of each other under the meter's line, and below it who
//! they are.
//!
//! Everything that is drawn adds up to the ledger (`data-uj` has the exact
//! numbers); time in which a meter's energy is unknown is hatched, never drawn
//! as zero. The picture's size does not grow with the length of the run.
//! Deterministic. Whatever is put into the picture is escaped unless its type
//! says that it is markup.
//!
//! ```text
//! picture ─┬─ panel      one meter: cells (bins) → areas (paths), in a fill
//!          ├─ aside      the text beside a panel
//!          ├─ lifetimes  who is who
//!          └─ time       the axis below, beginning and end
//!                 axis: scales with round numbers
//! ```

mod aside;
mod axis;
mod cells;
mod fill;
mod lifetimes;
mod panel;
mod paths;
mod picture;
mod time;

pub use fill::MOST_CONSUMERS;
pub(super) use picture::element;
pub use picture::write;
