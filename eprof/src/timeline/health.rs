//! What went wrong with one meter, counted, with one caveat per kind.

use std::collections::BTreeMap;

use crate::caveat::Caveat;
use crate::unit::{Nanos, Timestamp};

use super::counter::Refusal;

/// How often something happened, when first, and how much time it cost.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    times: u64,
    first: Nanos,
    lost: Nanos,
}

impl Tally {
    fn count(&mut self, after: Nanos, lost: Nanos) {
        if self.times == 0 {
            self.first = after;
        }
        self.times += 1;
        self.lost += lost;
    }
}

/// The troubles of one meter.
#[derive(Clone, Debug)]
pub(super) struct Health {
    name: String,
    started: Timestamp,
    refused: BTreeMap<Refusal, Tally>,
    missing: Tally,
    paused: Tally,
}

impl Health {
    /// Of the meter `name`, in a recording that started at `started`.
    pub(super) fn new(name: &str, started: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            started,
            refused: BTreeMap::new(),
            missing: Tally::default(),
            paused: Tally::default(),
        }
    }

    /// A reading at `at` was refused; the energy of `lost` is unknown.
    pub(super) fn refuse(&mut self, why: Refusal, at: Timestamp, lost: Nanos) {
        let after = at.since(self.started);
        self.refused.entry(why).or_default().count(after, lost);
    }

    /// A reading was missing at `at`, after an interval of `length`.
    pub(super) fn miss(&mut self, at: Timestamp, length: Nanos) {
        self.missing.count(at.since(self.started), length);
    }

    /// The meter did not move for `length` until `at`, while CPUs were busy.
    pub(super) fn pause(&mut self, at: Timestamp, length: Nanos) {
        self.paused.count(at.since(self.started), length);
    }

    /// One caveat per kind of trouble.
    pub(super) fn caveats(&self) -> impl Iterator<Item = Caveat> {
        let refused = self.refused.iter().map(|(why, tally)| {
            let (code, what) = match why {
                Refusal::Backwards => ("counter-backwards", "went backwards"),
                Refusal::Implausible => (
                    "counter-implausible",
                    "showed a physically impossible power",
                ),
                Refusal::Ambiguous => (
                    "counter-ambiguous",
                    "stood still for so long that it may have wrapped more than once",
                ),
            };
            self.caveat(code, what, tally, "is unknown and not counted")
        });
        let missing = (self.missing.times > 0).then(|| {
            self.caveat(
                "reading-missing",
                "could not be read",
                &self.missing,
                "is in the next good reading, if there was one",
            )
        });
        let paused = (self.paused.times > 0).then(|| {
            self.caveat(
                "counter-paused",
                "stood still while CPUs were busy",
                &self.paused,
                "is known as one sum only",
            )
        });
        refused.chain(missing).chain(paused)
    }

    fn caveat(&self, code: &str, what: &str, tally: &Tally, so: &str) -> Caveat {
        let Tally { times, first, lost } = *tally;
        let often = match times {
            1 => "once".to_owned(),
            _ => format!("{times} times"),
        };
        Caveat::new(
            code,
            format!(
                "{} {what} ({often}, first after {:.3} s); its energy for {:.3} s {so}",
                self.name,
                first.seconds(),
                lost.seconds(),
            ),
        )
    }

    /// The caveat for a meter that never moved, or stopped moving for good.
    pub(super) fn silent(
        &self,
        ever: bool,
        busy: bool,
        lost: Nanos,
        update_period: Nanos,
    ) -> Caveat {
        let seconds = lost.seconds();
        let name = &self.name;
        if ever {
            Caveat::new(
                "counter-stalled",
                format!(
                    "{name} stopped moving {seconds:.3} s before the end; its energy since then is unknown"
                ),
            )
        } else if busy && lost > Nanos(update_period.0.saturating_mul(10)) {
            Caveat::new(
                "counter-stalled",
                format!(
                    "{name} never moved in {seconds:.3} s although CPUs were busy; its energy is unknown, not zero"
                ),
            )
            .hint("choose another meter with --source; `eprof list` shows what there is")
        } else {
            Caveat::new(
                "counter-still",
                format!(
                    "{name} did not move in the {seconds:.3} s of the run (it is updated about every {:.3} s); its energy is unknown",
                    update_period.seconds()
                ),
            )
            .hint("measure something that takes longer")
        }
    }

    /// The caveat for a meter whose description makes no sense.
    pub(super) fn senseless(&self) -> Caveat {
        Caveat::new(
            "meter-senseless",
            format!(
                "the unit of {} is not a positive number; its energy is unknown",
                self.name
            ),
        )
    }

    /// The caveat for a meter that never gave a usable reading.
    pub(super) fn unread(&self) -> Caveat {
        Caveat::new(
            "meter-unread",
            format!(
                "{} gave fewer than two readings; its energy is unknown",
                self.name
            ),
        )
    }
}
