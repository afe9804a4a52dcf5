//! Where did the joules go?
//!
//! One module for each stage, in the order in which the data flows:
//!
//! ```text
//!   source ── Reading ─────────┐
//!   (meters)                   │
//!   launch ─► kernel ─ samples ┼─► session ─► recording ─► timeline ─► attribute ─► profile ─► output
//!   (target)  (eBPF)   accounts│   (Recorder) (eprof.data) (Interval)  (Ledger)     (Profile)  (bytes)
//!            symbol ── names ──┘
//! ```
//!
//! IO is at both edges; `timeline`, `attribute` and `profile` are pure.
//! [`pipeline`] shows the whole flow.

#![deny(unsafe_code)]
// They end the program where nobody reads.
#![deny(clippy::print_stderr, clippy::print_stdout)]

pub mod apportion;
pub mod attribute;
pub mod calibrate;
pub mod calibration;
pub mod carbon;
pub mod caveat;
pub mod cli;
pub mod clock;
mod confine;
pub mod diff;
pub mod doctor;
pub mod error;
pub mod harmless;
pub mod host;
pub mod idle;
pub mod kernel;
pub mod launch;
pub mod mappings;
pub mod measurement;
pub mod output;
pub mod pipeline;
pub mod power;
pub mod profile;
pub mod recording;
pub mod repeat;
pub mod session;
pub mod source;
pub mod statistics;
pub mod symbol;
pub mod timeline;
pub mod unit;
pub mod unwind;

#[cfg(test)]
#[path = "../../tests/support/skip.rs"]
mod skip;
