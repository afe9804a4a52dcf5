//! Idle power that one look gave, for several runs that follow each other.

use super::watch::Idling;
use crate::measurement::Meter;

/// Idle power of certain meters, found once.
///
/// Looking again before each run would cost half a second a run, and would see
/// the machine still warm and busy with the end of the last one; one look
/// errs the same way in all runs, so that it does not blur how they compare.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownIdle {
    meters: Vec<Meter>,
    idling: Idling,
}

impl KnownIdle {
    /// What a look at `meters` gave.
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
