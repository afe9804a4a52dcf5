//! `eprof doctor`: what works on this machine, and the exact hint for what
//! does not.

pub mod checks;
pub mod trials;

pub use checks::{Check, Diagnosis, State, Verdict, assess, diagnose};
pub use trials::Trials;
