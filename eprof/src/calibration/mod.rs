//! The calibration file: idle power and power models that `eprof calibrate`
//! saved.

pub mod file;
pub mod saved_model;
