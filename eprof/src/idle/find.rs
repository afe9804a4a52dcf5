//! Where idle power comes from: the option, else a saved calibration, else a
//! short watch of the machine before the run.

use std::path::Path;
use std::time::Duration;

use tracing::debug;

use super::watch::{self, Idling};
use crate::calibration::file::Calibration;
use crate::caveat::Caveat;
use crate::error::Result;
use crate::host::{Processor, SysRoot};
use crate::measurement::IdlePower;
use crate::source::EnergySource;

/// Finds the baselines of all meters of `source`, and the saved models.
///
/// Where `option` is given, all baselines come from it. `saved` is where a
/// calibration may lie (see [`crate::calibration::file::path`]); an unusable
/// file, or one of another processor, is a caveat. Only where some meter is
/// still unknown is the machine watched, for `time` (at least
/// [`watch::SHORTEST`]).
///
/// # Errors
/// [`crate::error::ErrorKind::Usage`] where the option names no meter in use;
/// where the source disappears.
pub fn find(
    source: &mut (dyn EnergySource + Send),
    root: &SysRoot,
    option: Option<&IdlePower>,
    saved: Option<&Path>,
    time: Duration,
) -> Result<Idling> {
    let mut found = Idling::default();
    match saved.map(Calibration::load) {
        Some(Ok(Some(calibration))) => match calibration.elsewhere(&Processor::read(root).name) {
            Some(elsewhere) => found.caveats.push(elsewhere),
            None => {
                found.baselines = calibration.baselines(source.meters());
                found.models = calibration.models(source.meters());
            }
        },
        Some(Err(error)) => {
            let caveat = Caveat::new("calibration-unusable", error.to_string());
            found.caveats.push(match error.given_hint() {
                Some(hint) => caveat.hint(hint),
                None => caveat,
            });
        }
        None | Some(Ok(None)) => {}
    }
    debug!(
        calibrated = found.baselines.len(),
        models = found.models.len(),
        "looked for a calibration"
    );
    if let Some(option) = option {
        debug!("idle power is given by the option");
        found.baselines = option.baselines(source.meters())?;
        return Ok(found);
    }
    if found.baselines.len() < source.meters().len() {
        debug!(?time, "watching the idle machine");
        let watched = watch::before_run(source, root, time)?;
        for baseline in watched.baselines {
            if found
                .baselines
                .iter()
                .all(|one| one.meter != baseline.meter)
            {
                found.baselines.push(baseline);
            }
        }
        found.caveats.extend(watched.caveats);
        found.baselines.sort_by_key(|baseline| baseline.meter);
    }
    Ok(found)
}
