//! The power model: the fit against planted laws and against measurements of
//! others.

mod kepler;
mod laws;
