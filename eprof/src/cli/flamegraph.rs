//! `eprof flamegraph`.

use std::path::Path;

use super::args::FlamegraphArgs;
use super::deliver::deliver;
use crate::error::Result;
use crate::output;

pub(super) fn execute(args: &FlamegraphArgs) -> Result<u8> {
    let profile = args
        .attribution
        .analysis(&args.file, args.symbols.names())
        .profile()?;
    let mut bytes = Vec::new();
    let written = if args.folded {
        output::folded::write(&profile, &mut bytes)
    } else {
        output::flamegraph::flame::write(&profile, &mut bytes)
    };
    output::ignore_broken_pipe(written)?;
    let path = args.output.as_deref();
    let path = path.or((!args.folded).then_some(Path::new("eprof.svg")));
    deliver(path, &bytes)?;
    Ok(0)
}
