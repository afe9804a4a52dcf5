//! When energy was used: intervals against a simulated machine whose
//! registers are updated as real ones are.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a failed assumption is a failed test"
)]

#[path = "timing/clock.rs"]
mod clock;
#[path = "timing/interval.rs"]
mod interval;
#[path = "timing/run.rs"]
mod run;
#[path = "timing/world.rs"]
mod world;
