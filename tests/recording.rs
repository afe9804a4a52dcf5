//! `eprof.data`: what is written is read back, damage costs no more than it
//! must, and no input whatever makes a reader panic, hang or allocate wildly.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "recording/arbitrary.rs"]
mod arbitrary;
#[path = "recording/capture.rs"]
mod capture;
#[path = "recording/damage.rs"]
mod damage;
#[path = "recording/file.rs"]
mod file;
#[path = "recording/golden.rs"]
mod golden;
#[path = "recording/hostile.rs"]
mod hostile;
#[path = "recording/round_trip.rs"]
mod round_trip;
#[path = "recording/rules.rs"]
mod rules;
#[path = "recording/sample.rs"]
mod sample;
#[path = "recording/stranger.rs"]
mod stranger;
#[path = "recording/text.rs"]
mod text;
