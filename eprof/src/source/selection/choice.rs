//! What `--source` says.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::measurement::SourceKind;
use crate::source::sensors::SENSORS;

/// The value of `--source`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first of [`SENSORS`] that measures packages, else the first that
    /// measures anything, else the estimate.
    #[default]
    Auto,
    /// This kind and no other.
    Kind(SourceKind),
}

impl Choice {
    const ALL: [Self; SourceKind::ALL.len() + 1] = {
        let mut all = [Self::Auto; SourceKind::ALL.len() + 1];
        let mut at = 0;
        while at < SourceKind::ALL.len() {
            all[at + 1] = Self::Kind(SourceKind::ALL[at]);
            at += 1;
        }
        all
    };

    /// Whether sensors of `kind` may be used.
    pub fn allows(self, kind: SourceKind) -> bool {
        self == Self::Auto || self == Self::Kind(kind)
    }
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Auto => {
                let names: Vec<&str> = SENSORS.iter().map(|one| one.kind().name()).collect();
                let help = format!("The best that works: {}", names.join(", "));
                Some(PossibleValue::new("auto").help(help))
            }
            Self::Kind(kind) => kind.to_possible_value(),
        }
    }
}
