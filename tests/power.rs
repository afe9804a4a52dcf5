//! The power model: the fit against planted laws and against measurements of
//! others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "power/kepler.rs"]
mod kepler;
#[path = "power/laws.rs"]
mod laws;
