//! `eprof load`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::args::LoadArgs;
use super::deliver::{deliver_private, warn};
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::recording::text;

pub(super) fn execute(args: &LoadArgs) -> Result<u8> {
    let caveats = if args.output == Path::new("-") {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            return Err(
                Error::new(ErrorKind::Usage, "a recording is not for a terminal")
                    .hint("write it to a file: --output eprof.data"),
            );
        }
        load(&args.file, Stream(stdout.lock()))?
    } else {
        deliver_private(&args.output, |file| load(&args.file, file))?
    };
    warn(&args.file, &caveats);
    Ok(0)
}

fn load(path: &Path, out: impl Write + Seek) -> Result<Vec<Caveat>> {
    let (input, name): (Box<dyn Read>, _) = if path == Path::new("-") {
        (Box::new(io::stdin().lock()), "standard input".to_owned())
    } else {
        let file = File::open(path).map_err(|error| Error::io("read", path, &error))?;
        (Box::new(file), path.display().to_string())
    };
    text::load(BufReader::new(input), &name, BufWriter::new(out))
}

/// What goes to a program cannot be gone back to.
struct Stream<W>(W);

impl<W: Write> Write for Stream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W> Seek for Stream<W> {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "several need a file, as --output names one",
        ))
    }
}
