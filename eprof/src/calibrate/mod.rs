//! Calibration: idle power and a power model of this machine, measured once.
//!
//! ```text
//!   idle windows ────────────────────► idle power ─┐ (less what ran, by the fit)
//!   ladder ─► load threads ─► measurement ─► rows ─► power::fit ─► findings ─► calibration.json
//!   CSV of others ─────────────────────────► rows ─┘
//! ```

pub mod csv;
pub mod findings;
pub mod ladder;
pub mod load;
pub mod load_threads;
pub mod measurement;
pub mod quiet_check;
pub mod session;
pub mod store;
pub mod undisturbed;

pub use findings::{Findings, MeterFindings, Model, Refusal};
pub use ladder::{Ladder, Rung};
pub use load::Load;
pub use session::{Plan, Step, calibrate};
