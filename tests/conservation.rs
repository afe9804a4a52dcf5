//! Nothing is lost and nothing is invented: energy that a meter said is
//! charged to somebody, to the microjoule, whatever the readings and accounts
//! look like; the mistakes of other tools stay theirs; and the error bars
//! hold what they promise.

mod arbitrary;
mod coverage;
mod laws;
mod machine;
mod mistakes;
mod people;
mod signals;
mod split;
mod weights;

use crate::support::dice;
