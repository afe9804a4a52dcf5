//! `eprof doctor`: what works on this machine, and the exact remedy for what
//! does not.

pub mod checks;
pub mod trials;
