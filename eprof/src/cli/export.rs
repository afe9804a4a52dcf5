//! `eprof export`.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::args::ExportArgs;
use super::deliver::deliver;
use crate::error::{Error, ErrorKind, Result};
use crate::output::export::{self, ExportFormat, ProfileFormat, TimedFormat};
use crate::output::{self, Format, Style, View};
use crate::pipeline::Analysis;

pub(super) fn execute(args: &ExportArgs) -> Result<u8> {
    let path = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let pprof = ExportFormat::Profile(ProfileFormat::Pprof);
    if args.format == pprof && path.is_none() && io::stdout().is_terminal() {
        return Err(
            Error::new(ErrorKind::Usage, "pprof's format is not for a terminal")
                .hint("write it to a file: --output energy.pb.gz"),
        );
    }
    let analysis = args.attribution.analysis(&args.file, args.symbols.names());
    let mut bytes = Vec::new();
    match args.format {
        ExportFormat::Profile(format) => of_profile(analysis, format, &mut bytes)?,
        ExportFormat::Timed(TimedFormat::Firefox) => firefox(analysis, path, &mut bytes)?,
        ExportFormat::Timed(TimedFormat::TimeseriesCsv) => series(analysis, &mut bytes)?,
    }
    deliver(path, &bytes)?;
    Ok(0)
}

/// Every format that knows of no time.
fn of_profile(mut analysis: Analysis<'_>, format: ProfileFormat, out: &mut Vec<u8>) -> Result<()> {
    let profile = analysis.profile()?;
    output::ignore_broken_pipe(match format {
        ProfileFormat::Pprof => export::pprof::write(&profile, out),
        ProfileFormat::Speedscope => export::speedscope::write(&profile, out),
        ProfileFormat::Folded => output::folded::write(&profile, out),
        ProfileFormat::Openmetrics => export::openmetrics::write(&profile, out),
        ProfileFormat::Json => {
            return output::report(&profile, &View::default(), Format::Json, Style::PLAIN, out);
        }
    })
}

/// Samples in time; compressed if the name of the file says so.
fn firefox(mut analysis: Analysis<'_>, path: Option<&Path>, out: &mut Vec<u8>) -> Result<()> {
    let (profile, samples) = analysis.with_samples()?;
    let compressed = path.is_some_and(|path| path.extension().is_some_and(|of| of == "gz"));
    output::ignore_broken_pipe(if compressed {
        let mut encoder = GzEncoder::new(out, Compression::default());
        let written = export::firefox::write(&profile, &samples, &mut encoder);
        written.and_then(|()| encoder.finish().map(drop))
    } else {
        export::firefox::write(&profile, &samples, out)
    })
}

/// Writes rows as spans are charged.
fn series(mut analysis: Analysis<'_>, out: &mut Vec<u8>) -> Result<()> {
    let mut series = export::series::Series::new(out).map_err(unwritten)?;
    let mut failed = None;
    analysis.watch(&mut |header, labels, span| {
        if failed.is_none() {
            failed = series.push(header, labels, span).err();
        }
    })?;
    match failed {
        Some(error) => Err(unwritten(error)),
        None => series.finish().map_err(unwritten),
    }
}

fn unwritten(error: io::Error) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("cannot write the rows: {error}"),
    )
}
