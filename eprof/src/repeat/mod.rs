//! Repeats: one or several commands, each run many times, in a random order.
//!
//! ```text
//!   words ─ Subject ─┐
//!   seed ── order ───┼─► stage ── Run, Run, … ──► results ─► output
//!   pipeline ────────┘    climate ┘               caveats
//! ```
//!
//! A run is recorded and analysed as by `eprof run`; only a few numbers of it
//! are kept. What they say together is found out by [`crate::statistics`].

pub mod caveats;
pub mod climate;
pub mod order;
pub mod results;
pub mod run;
pub mod session;
mod stage;
pub mod subject;

pub use climate::Climate;
pub use results::{Measure, Results};
pub use run::Run;
pub use session::{Failed, News, Plan, Repeated, repeat};
pub use subject::Subject;
