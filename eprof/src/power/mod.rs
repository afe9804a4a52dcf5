//! The power model: power from the signals of a slice.
//!
//! The room is pure. A model is the power above idle of one meter's domain as a
//! sum of terms, each a function of the rate of one signal. A term is shared among
//! threads in proportion to its signal (for terms of one variable that is the
//! Aumann–Shapley price), so that every such model attributes additively.
//!
//! ```text
//!   rows (rates, watts) ─► Gram per fold ─► ridge ─► nnls ─► Fit
//!                               └── health: zero, collinear, condition
//! ```

mod accumulator;
mod errors;
mod fit;
mod gram;
mod health;
mod huber;
pub mod model;
mod nnls;
mod ridge;
mod row;
mod rows;
mod settings;
mod shape;

pub use accumulator::Accumulator;
pub use errors::{ErrorSum, Errors};
pub use fit::{Fit, FittedTerm, Verdict};
pub use gram::Gram;
pub use health::Health;
pub(crate) use huber::huber;
pub use model::{PowerModel, Signal, Term};
pub use row::Row;
pub use rows::{LINEAR, SHAPED, contiguous, fit};
pub use settings::{Prior, Settings};
pub use shape::Shape;
