//! What may be chosen when a recording is attributed (again).

use crate::error::{Error, ErrorKind, Result};
use crate::measurement::{Baseline, Counter, Meter, Quantity};
use crate::recording::Header;
use crate::unit::Watts;

/// What makes one nanosecond on a CPU heavier than another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// A power model where one can be fitted and predicts better than time
    /// does, else cycles where they were counted, else time.
    #[default]
    Auto,
    /// Time on a CPU.
    Time,
    /// CPU cycles, which follow the clock frequency.
    Cycles,
    /// A power model of all signals, however well it predicts.
    Model,
}

/// The choices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The weights.
    pub weights: Weights,
    /// Idle powers in place of all those of the recording; an empty list
    /// means that idle power is taken to be unknown.
    pub baselines: Option<Vec<Baseline>>,
}

impl Settings {
    /// Refuses weights that the recording does not have.
    ///
    /// # Errors
    ///
    /// `Usage` where cycles are demanded of a recording without any, or a
    /// model of one without counters and without a saved model.
    pub fn check(&self, header: &Header) -> Result<()> {
        let missing = match self.weights {
            Weights::Cycles if !header.counts(Counter::Cycles) => "cycles to share energy by",
            Weights::Model if header.counters.is_empty() && header.models.is_empty() => {
                "counters to fit a power model to"
            }
            _ => return Ok(()),
        };
        Err(
            Error::new(ErrorKind::Usage, format!("the recording has no {missing}"))
                .hint("choose --attribution time or auto"),
        )
    }

    /// The idle power of `meter`, where it is known.
    ///
    /// A model knows its own: the power of its CPUs when all are idle.
    pub(super) fn baseline(&self, meter: &Meter, header: &Header) -> Option<Baseline> {
        let list = self.baselines.as_ref().unwrap_or(&header.baselines);
        let sane = |watts: f64| watts.is_finite() && watts >= 0.0;
        let known = list.iter().rfind(|baseline| baseline.meter == meter.id);
        match (known, meter.quantity) {
            (Some(known), _) => sane(known.power.0).then(|| Baseline {
                sd: Watts(if sane(known.sd.0) { known.sd.0 } else { 0.0 }),
                ..known.clone()
            }),
            (None, Quantity::Model { idle_w, .. }) if self.baselines.is_none() => {
                let power = idle_w * meter.cpus.len() as f64;
                (sane(power) && power > 0.0).then(|| Baseline {
                    meter: meter.id,
                    power: Watts(power),
                    sd: Watts(0.0),
                    origin: "model".to_owned(),
                })
            }
            (None, _) => None,
        }
    }
}
