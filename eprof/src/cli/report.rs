//! `eprof report`.

use std::io;

use super::args::ReportArgs;
use super::attribution;
use crate::error::Result;
use crate::output::{self, Look, View};

pub(super) fn execute(args: &ReportArgs) -> Result<u8> {
    let view = View {
        by: args.by,
        sort: args.sort,
        limit: args.limit,
    };
    view.check()?;
    let profile = attribution::profile(&args.file, &args.attribution, &args.symbols.names())?;
    let stdout = io::stdout();
    let look = Look::of_stdout(&stdout);
    output::report(&profile, &view, args.format, look, stdout)?;
    Ok(0)
}
