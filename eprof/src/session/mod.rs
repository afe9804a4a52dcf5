//! A session: the time in which the target lives and is recorded.
//!
//! ```text
//!   plan ─► header ─► recorder ── Moment ─► progress
//! ```

pub mod header;
pub mod moment;
pub mod plan;
pub mod recorder;

pub use moment::Moment;
pub use plan::Plan;
pub use recorder::Recorder;
