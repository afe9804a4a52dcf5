//! `eprof plot`.

use super::args::PlotArgs;
use super::attribution;
use super::deliver::deliver;
use crate::error::Result;
use crate::output::{self, plot};
use crate::pipeline::{self, Names};

pub(super) fn execute(args: &PlotArgs) -> Result<u8> {
    let consumers = (args.by, args.top.min(plot::MOST_CONSUMERS));
    // No code is named, so no names are looked for.
    let names = Names::default();
    let (profile, course) =
        attribution::over_time(&args.file, &args.attribution, &names, consumers)?;
    let course = course.ok_or_else(|| pipeline::several(&args.file))?;
    let mut bytes = Vec::new();
    output::ignore_broken_pipe(plot::write(&profile, &course, &mut bytes))?;
    deliver(Some(&args.output), &bytes)?;
    Ok(0)
}
