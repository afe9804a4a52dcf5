//! What is found before anything is opened.

use crate::measurement::Meter;

/// Something that looks like a meter and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// What it is called.
    pub name: String,
    /// Why not, in a clause without a final full stop.
    pub why: String,
    /// Whether only this user may not read it, so that
    /// [`Sensor::hint`](super::Sensor::hint) helps.
    pub denied: bool,
}

impl Unusable {
    /// Something that nobody can use here.
    pub fn new(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            why: why.into(),
            denied: false,
        }
    }

    /// Something that this user may not read.
    pub fn denied(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            denied: true,
            ..Self::new(name, why)
        }
    }
}

/// What a sensor finds below a root, before anything is opened. `P` is how a
/// meter is reached.
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
