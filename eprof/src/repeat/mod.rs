//! Repeats: one or several commands, each run many times, in a random order.
//!
//! ```text
//!   words ─ Command ─┐
//!   seed ── order ───┼─► runner ── Run, Run, … ──► results ─► output
//!   pipeline ────────┘ conditions ┘                   caveats
//! ```
//!
//! A run is recorded and analysed as by `eprof run`; only a few numbers of it
//! are kept. What they say together is found out by [`crate::statistics`].

pub mod caveats;
pub mod command;
pub mod conditions;
pub mod measure;
pub mod order;
pub mod plan;
pub mod results;
pub mod run;
mod runner;
pub mod session;

pub use command::Command;
pub use conditions::Conditions;
pub use measure::Measure;
pub use plan::{Failed, Keep, News, Plan, Repeated};
pub use results::Results;
pub use run::Run;
pub use session::repeat;
