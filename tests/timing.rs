//! When energy was used: intervals against a simulated machine whose
//! registers are updated as real ones are.

mod clock;
mod interval;
mod run;
mod world;
