//! The whole flow, in two files:
//!
//! ```text
//!   Plan ── record ──────────────────────────────► eprof.data ── analyse ─► Profile ─► output
//!            │                                                    │
//!            ├ source::select      which meters                   ├ symbol::late        missing names
//!            ├ idle::find          what the idle machine draws    ├ attribute           energy → accounts
//!            ├ kernel::Probe       loads the kernel programs      │   └ timeline        readings → energy
//!            ├ launch              makes the target               └ profile             rows with names
//!            └ session::Recorder   follows it, writes down
//! ```
//!
//! [`record()`] goes from a command to a recording, [`Analysis`] from a
//! recording to a profile. Outputs are made of profiles only.

mod analyse;
mod record;

pub use analyse::{Analysis, NameProgress, Names, labels, no_common_time, sum};
pub use record::{News, Recorded, idle_power, record};
