//! `eprof doctor`: what works on this machine, and the exact hint for what
//! does not.

pub mod checks;
pub mod trials;

pub use checks::{
    Check, Diagnosis, Installation, State, Verdict, assess, check_capabilities, diagnose,
};
pub use trials::{Refused, Trials};
