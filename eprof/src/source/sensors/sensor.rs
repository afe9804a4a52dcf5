//! What every kind of sensor can do.

use super::discovery::Unusable;
use super::perf_event::Opener;
use crate::calibration::file::Calibration;
use crate::host::{Cpus, Processor, SysRoot};
use crate::measurement::SourceKind;
use crate::source::Backend;

/// A kind of energy sensor.
pub trait Sensor: Sync {
    /// The kind of its meters.
    fn kind(&self) -> SourceKind;

    /// Finds its meters and opens those that can be read.
    fn discover(&self, here: &mut Surroundings<'_>) -> Found;

    /// The exact command that lets this user read meters which are denied to
    /// them; `None` where nothing can be denied.
    fn hint(&self) -> Option<&'static str>;
}

/// Where a sensor looks for meters.
pub struct Surroundings<'a> {
    /// Where `/sys` and `/proc` are read.
    pub root: &'a SysRoot,
    /// The online CPUs.
    pub cpus: &'a Cpus,
    /// The processor.
    pub processor: &'a Processor,
    /// What an estimate may follow.
    pub calibration: Option<&'a Calibration>,
    /// What opens perf events.
    pub opener: &'a mut dyn Opener,
}

/// What a sensor found.
pub struct Found {
    /// The meters that could be opened, with the ids counting up from zero.
    pub source: Box<dyn Backend>,
    /// What looks like a meter and is not usable.
    pub unusable: Vec<Unusable>,
    /// Why there is nothing at all, where there is nothing.
    pub absent: Option<String>,
}
