//! Nothing is lost and nothing is invented: energy that a meter said is
//! charged to somebody, to the microjoule, whatever the readings and accounts
//! look like; the mistakes of other tools stay theirs; and the error bars
//! hold what they promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "conservation/arbitrary.rs"]
mod arbitrary;
#[path = "conservation/coverage.rs"]
mod coverage;
#[path = "conservation/dice.rs"]
mod dice;
#[path = "conservation/laws.rs"]
mod laws;
#[path = "conservation/machine.rs"]
mod machine;
#[path = "conservation/mistakes.rs"]
mod mistakes;
#[path = "conservation/people.rs"]
mod people;
#[path = "conservation/split.rs"]
mod split;
#[path = "conservation/weights.rs"]
mod weights;
