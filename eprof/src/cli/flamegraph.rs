//! `eprof flamegraph`.

use std::io;
use std::path::Path;

use super::args::FlamegraphArgs;
use super::attribution;
use crate::error::Result;
use crate::output;
use crate::target::{Identity, RunAs, output_file};

pub(super) fn execute(args: &FlamegraphArgs) -> Result<u8> {
    let profile = attribution::profile(&args.file, &args.attribution, &args.symbols.names())?;
    let mut bytes = Vec::new();
    let written = if args.folded {
        output::folded::write(&profile, &mut bytes)
    } else {
        output::flame::write(&profile, &mut bytes)
    };
    output::settle(written)?;
    let path = match (&args.output, args.folded) {
        (Some(path), _) => path.as_path(),
        (None, false) => Path::new("eprof.svg"),
        (None, true) => {
            output::settle(io::Write::write_all(&mut io::stdout(), &bytes))?;
            return Ok(0);
        }
    };
    let owner = Identity::resolve(&RunAs::Caller)?.files;
    output_file::replace(path, owner.as_ref(), &bytes)?;
    Ok(0)
}
