//! `eprof plot`.

use super::args::PlotArgs;
use super::deliver::deliver;
use crate::error::Result;
use crate::output::{self, plot};
use crate::pipeline::{self, Names};

pub(super) fn execute(args: &PlotArgs) -> Result<u8> {
    // No code is named, so no names are looked for.
    let mut analysis = args.attribution.analysis(&args.file, Names::default());
    let most = args.top.min(plot::MOST_CONSUMERS);
    let (profile, series) = analysis.with_power_series(args.by, most)?;
    let series = series.ok_or_else(|| pipeline::no_common_time(&args.file))?;
    let mut bytes = Vec::new();
    output::ignore_broken_pipe(plot::write(&profile, &series, &mut bytes))?;
    deliver(Some(&args.output), &bytes)?;
    Ok(0)
}
