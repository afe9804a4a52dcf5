//! Tests of values: they start no process, load nothing into the kernel, and ask
//! nothing of the machine.
//!
//! ```text
//! cargo test --test pure -- output::golden
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "each file is for the others of its binary; a failed assumption is a failed test"
)]

mod architecture;
mod conservation;
mod lab_twin;
mod output;
mod power;
mod recipes;
mod recording;
mod support;
mod timing;
