//! A recording, attributed as the options say.

use std::path::Path;

use super::args::AttributionArgs;
use crate::attribute::Settings;
use crate::error::Result;
use crate::pipeline;
use crate::profile::Profile;
use crate::source::{IdlePower, Meter};

/// The settings that `args` ask for, for a recording of `meters`.
fn settings(args: &AttributionArgs, meters: &[Meter]) -> Result<Settings> {
    let idle: Option<IdlePower> = args.idle_power.as_deref().map(str::parse).transpose()?;
    Ok(Settings {
        weights: args.attribution.into(),
        baselines: idle.map(|idle| idle.baselines(meters)).transpose()?,
    })
}

/// Attributes the recording at `path`.
///
/// # Errors
///
/// As [`pipeline::analyse`], and for an idle power that does not fit.
pub(super) fn profile(path: &Path, args: &AttributionArgs) -> Result<Profile> {
    pipeline::analyse(path, |header| settings(args, &header.meters))
}
