//! `eprof dump`.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::args::DumpArgs;
use super::deliver::deliver_private;
use crate::caveat::Caveat;
use crate::error::{Error, Result};
use crate::output;
use crate::recording::text::{self, Stopped};

pub(super) fn execute(args: &DumpArgs) -> Result<u8> {
    let path = args.output.as_deref();
    let caveats = match path.filter(|path| *path != Path::new("-")) {
        None => dump(&args.file, io::stdout().lock()).or_else(ignore_broken_pipe)?,
        Some(path) => deliver_private(path, |file| {
            dump(&args.file, file).map_err(|stopped| match stopped {
                Stopped::Recording(error) => error,
                Stopped::Output(error) => Error::io("write", path, &error),
            })
        })?,
    };
    super::deliver::warn(&args.file, &caveats);
    Ok(0)
}

fn dump(path: &Path, out: impl Write) -> Result<Vec<Caveat>, Stopped> {
    let mut out = BufWriter::new(out);
    let caveats = text::dump(path, &mut out)?;
    out.flush()?;
    Ok(caveats)
}

/// Nothing is missing where nobody reads on.
fn ignore_broken_pipe(stopped: Stopped) -> Result<Vec<Caveat>> {
    match stopped {
        Stopped::Recording(error) => Err(error),
        Stopped::Output(error) => output::ignore_broken_pipe(Err(error)).map(|()| Vec::new()),
    }
}
