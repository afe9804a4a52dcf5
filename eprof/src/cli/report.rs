//! `eprof report`.

use std::io;
use std::path::Path;

use super::args::ReportArgs;
use super::attribution;
use super::deliver::deliver;
use crate::error::Result;
use crate::output::{self, Style, View};

pub(super) fn execute(args: &ReportArgs) -> Result<u8> {
    if let Some(path) = &args.html {
        return page(args, path);
    }
    let view = View {
        by: args.by,
        sort: args.sort,
        limit: args.limit,
    };
    view.check()?;
    let profile = attribution::profile(&args.file, &args.attribution, &args.symbols.names())?;
    let stdout = io::stdout();
    let look = Style::of_stdout(&stdout);
    output::report(&profile, &view, args.format, look, stdout)?;
    Ok(0)
}

/// The report as a page.
fn page(args: &ReportArgs, path: &Path) -> Result<u8> {
    let (names, consumers) = (args.symbols.names(), (None, output::plot::MOST_CONSUMERS));
    let (profile, course) =
        attribution::over_time(&args.file, &args.attribution, &names, consumers)?;
    let mut bytes = Vec::new();
    output::ignore_broken_pipe(output::html::write(&profile, course.as_ref(), &mut bytes))?;
    deliver(Some(path), &bytes)?;
    Ok(0)
}
