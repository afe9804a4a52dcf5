//! What may be chosen when a recording is attributed (again).

use clap::ValueEnum;

use crate::error::{Error, ErrorKind, Result};
use crate::measurement::{Baseline, Counter, IdlePower, Meter, Quantity};
use crate::recording::Header;
use crate::unit::Watts;

/// What makes one nanosecond on a CPU heavier than another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
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

/// The choices. They are made before the recording is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The weights.
    pub weights: Weights,
    /// Idle power in place of all that the recording knows; `None`: as the
    /// recording says.
    pub idle: Option<IdlePower>,
}

impl Settings {
    /// Refuses weights that the recording does not have.
    ///
    /// # Errors
    ///
    /// `Usage` where cycles are demanded of a recording without any, or a
    /// model of one without counters and without a saved model.
    pub(super) fn check(&self, header: &Header) -> Result<()> {
        let missing = match self.weights {
            Weights::Cycles if !header.counts(Counter::Cycles) => "cycles to divide energy by",
            Weights::Model if header.counters().next().is_none() && header.models.is_empty() => {
                "counters to fit a power model to"
            }
            _ => return Ok(()),
        };
        Err(
            Error::new(ErrorKind::Usage, format!("the recording has no {missing}"))
                .hint("choose --attribution time or auto"),
        )
    }

    /// The idle power of each meter of `header`, in their order, where it is
    /// known.
    ///
    /// # Errors
    ///
    /// `Usage` where the option names a meter that the recording lacks.
    pub(super) fn baselines(&self, header: &Header) -> Result<Vec<Option<Baseline>>> {
        let meters = header.meters.iter();
        if let Some(idle) = &self.idle {
            let given = idle.baselines(&header.meters)?;
            return Ok(meters.map(|meter| sane(of_meter(meter, &given)?)).collect());
        }
        let recorded = |meter| match of_meter(meter, &header.baselines) {
            Some(recorded) => sane(recorded),
            None => of_model(meter),
        };
        Ok(meters.map(recorded).collect())
    }
}

/// The baseline of `meter` in `list`. The last one counts.
fn of_meter<'b>(meter: &Meter, list: &'b [Baseline]) -> Option<&'b Baseline> {
    list.iter().rfind(|baseline| baseline.meter == meter.id)
}

/// `known`, if its power can be one. A standard deviation that cannot be one
/// counts as zero.
fn sane(known: &Baseline) -> Option<Baseline> {
    is_power(known.power.0).then(|| Baseline {
        sd: Watts(if is_power(known.sd.0) {
            known.sd.0
        } else {
            0.0
        }),
        ..known.clone()
    })
}

/// A model knows its own idle power: that of its CPUs when all are idle.
fn of_model(meter: &Meter) -> Option<Baseline> {
    let Quantity::Model { idle_w, .. } = meter.quantity else {
        return None;
    };
    let power = idle_w * meter.cpus.len() as f64;
    (is_power(power) && power > 0.0).then(|| Baseline {
        meter: meter.id,
        power: Watts(power),
        sd: Watts(0.0),
        origin: "model".to_owned(),
    })
}

fn is_power(watts: f64) -> bool {
    watts.is_finite() && watts >= 0.0
}
