//! `eprof export`.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::args::{ExportArgs, ExportFormat};
use super::attribution;
use super::deliver::deliver;
use crate::error::{Error, ErrorKind, Result};
use crate::output::{self, Format, Style, View, export};
use crate::pipeline;

pub(super) fn execute(args: &ExportArgs) -> Result<u8> {
    let path = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    if args.format == ExportFormat::Pprof && path.is_none() && io::stdout().is_terminal() {
        return Err(
            Error::new(ErrorKind::Usage, "pprof's format is not for a terminal")
                .hint("write it to a file: --output energy.pb.gz"),
        );
    }
    let mut bytes = Vec::new();
    match args.format {
        ExportFormat::Csv => series(args, &mut bytes)?,
        ExportFormat::Firefox => firefox(args, &mut bytes)?,
        format => of_profile(args, format, &mut bytes)?,
    }
    deliver(path, &bytes)?;
    Ok(0)
}

/// Every format that knows of no time.
fn of_profile(args: &ExportArgs, format: ExportFormat, out: &mut Vec<u8>) -> Result<()> {
    let profile = attribution::profile(&args.file, &args.attribution, &args.symbols.names())?;
    output::ignore_broken_pipe(match format {
        ExportFormat::Pprof => export::pprof::write(&profile, out),
        ExportFormat::Speedscope => export::speedscope::write(&profile, out),
        ExportFormat::Folded => output::folded::write(&profile, out),
        ExportFormat::Openmetrics => export::openmetrics::write(&profile, out),
        ExportFormat::Json | ExportFormat::Csv | ExportFormat::Firefox => {
            return output::report(&profile, &View::default(), Format::Json, Style::PLAIN, out);
        }
    })
}

/// Samples in time; as small as the name of the file says.
fn firefox(args: &ExportArgs, out: &mut Vec<u8>) -> Result<()> {
    let names = args.symbols.names();
    let (profile, moments) = attribution::samples(&args.file, &args.attribution, &names)?;
    let path = args.output.as_deref();
    let packed = path.is_some_and(|path| path.extension().is_some_and(|of| of == "gz"));
    output::ignore_broken_pipe(if packed {
        let mut packed = GzEncoder::new(out, Compression::default());
        let written = export::firefox::write(&profile, &moments, &mut packed);
        written.and_then(|()| packed.finish().map(drop))
    } else {
        export::firefox::write(&profile, &moments, out)
    })
}

/// Rows are written as stretches are charged.
fn series(args: &ExportArgs, out: &mut Vec<u8>) -> Result<()> {
    let mut series = export::series::Series::new(out).map_err(written)?;
    let mut failed = None;
    pipeline::watch(
        &args.file,
        |_| attribution::settings(&args.attribution),
        &mut |header, labels, stretch| {
            if failed.is_none() {
                failed = series.push(header, labels, stretch).err();
            }
        },
    )?;
    match failed {
        Some(error) => Err(written(error)),
        None => series.finish().map_err(written),
    }
}

fn written(error: io::Error) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("cannot write the rows: {error}"),
    )
}
