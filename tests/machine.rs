//! Tests with this machine: they start programs, read files, and drive the kernel
//! (as root). Each can run beside the others.
//!
//! ```text
//! cargo test --test machine -- symbols::generated
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "each file is for the others of its binary; a failed assumption is a failed test"
)]

mod calibrate;
mod cli;
mod compare;
mod examples;
mod export;
mod fake_meter;
#[cfg(target_arch = "x86_64")]
mod faults;
mod live;
mod merge;
mod object;
mod pages;
mod privilege;
mod reliability;
mod sources;
mod support;
mod symbols;
mod unwind;
