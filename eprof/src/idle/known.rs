//! Idle power that was found once, for several runs that follow each other.

use super::watch::Idling;
use crate::measurement::Meter;

/// Idle power of certain meters, found once.
///
/// To watch again before each run would cost half a second a run, and would see
/// the machine still warm and busy with the end of the last one. One watch
/// errs the same way in all runs, so that it does not blur how they compare.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownIdle {
    meters: Vec<Meter>,
    idling: Idling,
}

impl KnownIdle {
    /// What was found for `meters`.
    pub fn new(meters: &[Meter], idling: Idling) -> Self {
        Self {
            meters: meters.to_vec(),
            idling,
        }
    }

    /// The same for `meters`; `None` where they are others.
    pub fn of(&self, meters: &[Meter]) -> Option<Idling> {
        (self.meters == meters).then(|| self.idling.clone())
    }
}
