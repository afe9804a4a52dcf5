//! A recording, analysed as the options say.

use std::path::Path;

use super::args::AttributionArgs;
use super::naming::shown;
use crate::attribute::Settings;
use crate::pipeline::{Analysis, Names};

impl AttributionArgs {
    /// How energy is attributed.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            weights: self.attribution,
            idle: self.idle_power.clone(),
        }
    }

    /// The analysis of the recording at `path`, which names code as `names`
    /// says and shows how far the search for names has come.
    pub(super) fn analysis(&self, path: &Path, names: Names) -> Analysis<'static> {
        Analysis::new(path)
            .names(names)
            .settings(self.settings())
            .carbon(self.carbon.clone())
            .progress(Box::new(shown()))
    }
}
