//! `eprof report`.

use std::io;
use std::path::Path;

use super::args::ReportArgs;
use super::deliver::deliver;
use crate::error::Result;
use crate::output::{self, Style, View};
use crate::pipeline::Analysis;

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
    let profile = analysis(args).profile()?;
    let stdout = io::stdout();
    let style = Style::of_stdout(&stdout);
    output::report(&profile, &view, args.format, style, stdout)?;
    Ok(0)
}

fn analysis(args: &ReportArgs) -> Analysis<'static> {
    args.attribution.analysis(&args.file, args.symbols.names())
}

/// The report as a page.
fn page(args: &ReportArgs, path: &Path) -> Result<u8> {
    let most = output::plot::MOST_CONSUMERS;
    let (profile, series) = analysis(args).with_power_series(None, most)?;
    let mut bytes = Vec::new();
    output::ignore_broken_pipe(output::html::write(&profile, series.as_ref(), &mut bytes))?;
    deliver(Some(path), &bytes)?;
    Ok(0)
}
