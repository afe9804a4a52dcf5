//! What is measured and how, from what was typed.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::args::MeasuringArgs;
use super::verifier_log;
use crate::attribute::Weights;
use crate::calibration::file;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{SysRoot, rank};
use crate::kernel::{Settings, Unwinding};
use crate::launch::{RunAs, Streams};
use crate::measurement::Counter;
use crate::session::Plan;

/// The options of a measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) measuring: &'a MeasuringArgs,
    pub(super) frequency: u32,
    pub(super) duration: Option<Duration>,
    pub(super) delay: Option<Duration>,
    pub(super) target: &'a [OsString],
    pub(super) output: &'a Path,
}

/// The plan that the options make.
///
/// # Errors
///
/// Options that make no sense, in words.
pub(super) fn plan(asked: &Asked<'_>, root: SysRoot) -> Result<Plan> {
    let mut words = asked.target.iter().cloned();
    let program = words.next().ok_or_else(|| {
        Error::new(ErrorKind::Usage, "there is no command to run")
            .hint("eprof run -- COMMAND [ARGUMENT…]")
    })?;
    let measuring = asked.measuring;
    let run_as = match (&measuring.user, measuring.as_root) {
        (Some(user), _) => RunAs::User(user.clone()),
        (None, true) => RunAs::Root,
        (None, false) => RunAs::Caller,
    };
    Ok(Plan {
        root,
        source: measuring.source,
        idle_power: measuring.attribution.idle_power.clone(),
        known_idle: None,
        calibration: file::path(
            std::env::var("XDG_CONFIG_HOME").ok().as_deref(),
            std::env::var("HOME").ok().as_deref(),
        ),
        frequency_hz: asked.frequency,
        interval: Plan::affordable(measuring.interval.into()),
        duration: asked.duration.map(Into::into),
        delay: asked.delay.map(Into::into),
        counters: measuring
            .counters
            .or(match measuring.attribution.attribution {
                Weights::Time => &[],
                Weights::Auto | Weights::Cycles | Weights::Model => &Counter::ALL,
            }),
        cycles_required: measuring.attribution.attribution == Weights::Cycles,
        unwinding: unwinding()?,
        verifier_log: verifier_log::of_environment()?,
        no_btf: Settings::is_btf_refused(),
        run_as,
        program,
        arguments: words.collect(),
        streams: Streams::default(),
        rank: rank::of_environment(),
        output: asked.output.to_owned(),
    })
}

/// How stacks are walked, where the environment says so.
fn unwinding() -> Result<Unwinding> {
    let Some(name) = std::env::var_os("EPROF_UNWINDING") else {
        return Ok(Unwinding::default());
    };
    let known = name.to_str().and_then(Unwinding::named);
    known.ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("EPROF_UNWINDING={} is unknown", name.to_string_lossy()),
        )
        .hint("set it to tables, copies or pointers, or not at all")
    })
}
