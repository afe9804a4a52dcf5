//! What was found and why it can or cannot be used: the data of `eprof list`.

use serde::Serialize;

use crate::measurement::{Domain, Meter, Scope, SourceKind};

/// Something that cannot be used, with the reason and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// What it is called.
    pub name: String,
    /// Why not, in a clause without a final full stop.
    pub why: String,
    /// The exact line that mends it, where there is one.
    pub remedy: Option<String>,
}

impl Unusable {
    /// Something unusable that nothing can be done about.
    pub fn new(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            why: why.into(),
            remedy: None,
        }
    }

    /// Adds the remedy.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// What a kind of source found below a root, before anything is opened.
/// `P` is how a meter is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery<P> {
    /// Meters, with the ids counting up from zero, and how to reach each.
    pub found: Vec<(Meter, P)>,
    /// Things that look like meters and are not usable.
    pub unusable: Vec<Unusable>,
    /// Why there is nothing at all, where there is nothing.
    pub absent: Option<String>,
}

impl<P> Default for Discovery<P> {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            unusable: Vec::new(),
            absent: None,
        }
    }
}

impl<P> Discovery<P> {
    /// Nothing is there, for the reason `why`.
    pub fn absent(why: impl Into<String>) -> Self {
        Self {
            absent: Some(why.into()),
            ..Self::default()
        }
    }
}

/// One meter in the listing.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The exact line that mends it.
    pub remedy: Option<String>,
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
            remedy: None,
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

impl From<Unusable> for MeterNote {
    fn from(unusable: Unusable) -> Self {
        Self {
            name: unusable.name,
            domain: None,
            scope: None,
            usable: false,
            nested: false,
            why: Some(unusable.why),
            remedy: unusable.remedy,
        }
    }
}

/// One kind of source in the listing.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The exact line that mends it.
    pub remedy: Option<String>,
}

impl Candidate {
    /// The first thing that a user could do to make more of this kind usable.
    pub fn first_remedy(&self) -> Option<&str> {
        self.remedy.as_deref().or_else(|| {
            let mut notes = self.meters.iter();
            notes.find_map(|note| note.remedy.as_deref())
        })
    }
}
