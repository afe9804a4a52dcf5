//! A recording, attributed as the options say.

use std::path::Path;

use super::args::AttributionArgs;
use super::naming::shown;
use crate::attribute::Settings;
use crate::error::Result;
use crate::measurement::IdlePower;
use crate::pipeline::{self, Names};
use crate::profile::{Group, PowerSeries, Profile, TimedSamples};

/// The settings that `args` ask for.
pub(super) fn settings(args: &AttributionArgs) -> Result<Settings> {
    let idle: Option<IdlePower> = args.idle_power.as_deref().map(str::parse).transpose()?;
    Ok(Settings {
        weights: args.attribution.into(),
        idle,
    })
}

/// Attributes the recording at `path`, and gives code the names that `names`
/// says.
///
/// # Errors
///
/// As [`pipeline::analyse`], and for an idle power that does not fit.
pub(super) fn profile(path: &Path, args: &AttributionArgs, names: &Names) -> Result<Profile> {
    let mut profile = pipeline::analyse_in_detail(path, names, |_| settings(args), &mut shown())?;
    profile.summary.carbon.clone_from(&args.carbon);
    Ok(profile)
}

/// The same, with power over time: at most so many consumers of a kind. Several
/// runs have none.
///
/// # Errors
///
/// As [`profile`].
pub(super) fn over_time(
    path: &Path,
    args: &AttributionArgs,
    names: &Names,
    consumers: (Option<Group>, usize),
) -> Result<(Profile, Option<PowerSeries>)> {
    let (mut profile, course) =
        pipeline::analyse_over_time(path, names, consumers, |_| settings(args), &mut shown())?;
    profile.summary.carbon.clone_from(&args.carbon);
    Ok((profile, course))
}

/// The same, with all samples in time.
///
/// # Errors
///
/// As [`profile`].
pub(super) fn samples(
    path: &Path,
    args: &AttributionArgs,
    names: &Names,
) -> Result<(Profile, TimedSamples)> {
    pipeline::analyse_samples(path, names, |_| settings(args), &mut shown())
}
