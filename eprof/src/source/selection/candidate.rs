//! What was found and why it can or cannot be used: the data of `eprof list`.

use crate::measurement::{Domain, Meter, Scope, SourceKind};
use crate::source::sensors::discovery::Unusable;

/// One meter in the listing.
#[derive(Clone, Debug, PartialEq)]
pub struct MeterNote {
    /// Its name.
    pub name: String,
    /// What it counts, where that is known.
    pub domain: Option<Domain>,
    /// Which CPUs it answers for, where that is known.
    pub scope: Option<Scope>,
    /// Whether it can be used.
    pub usable: bool,
    /// Whether another meter contains it.
    pub nested: bool,
    /// Why it cannot be used.
    pub why: Option<String>,
    /// The exact command that mends it.
    pub hint: Option<&'static str>,
}

impl MeterNote {
    /// A meter that can be used.
    pub fn usable(meter: &Meter) -> Self {
        Self {
            name: meter.name.clone(),
            domain: Some(meter.domain),
            scope: Some(meter.scope),
            usable: true,
            nested: meter.nested,
            why: None,
            hint: None,
        }
    }

    /// What could not be opened; `hint` helps where it is denied.
    pub fn unusable(unusable: Unusable, hint: Option<&'static str>) -> Self {
        Self {
            name: unusable.name,
            domain: None,
            scope: None,
            usable: false,
            nested: false,
            why: Some(unusable.why),
            hint: hint.filter(|_| unusable.denied),
        }
    }

    /// A meter that was dropped, for the reason `why`.
    pub fn dropped(meter: &Meter, why: impl Into<String>) -> Self {
        Self {
            usable: false,
            nested: false,
            why: Some(why.into()),
            ..Self::usable(meter)
        }
    }
}

/// One kind of source in the listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Which kind.
    pub kind: SourceKind,
    /// Whether this is the one that was chosen.
    pub chosen: bool,
    /// Whether it can be used.
    pub usable: bool,
    /// Its meters, usable ones first.
    pub meters: Vec<MeterNote>,
    /// Why it cannot be used as a whole.
    pub why: Option<String>,
}

impl Candidate {
    /// The first thing that a user could do to make more of this kind usable.
    pub fn first_hint(&self) -> Option<&'static str> {
        self.meters.iter().find_map(|note| note.hint)
    }
}
