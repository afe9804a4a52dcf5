//! `eprof export`.

use std::io::{self, IsTerminal, Write};

use super::args::{ExportArgs, ExportFormat};
use super::attribution;
use crate::error::{Error, ErrorKind, Result};
use crate::output::{self, Format, Look, View, export};
use crate::pipeline;
use crate::target::{Identity, RunAs, output_file};

pub(super) fn execute(args: &ExportArgs) -> Result<u8> {
    let binary = args.format == ExportFormat::Pprof;
    let to_stdout = args.output.as_deref().is_none_or(|path| path == "-");
    if binary && to_stdout && io::stdout().is_terminal() {
        return Err(
            Error::new(ErrorKind::Usage, "pprof's format is not for a terminal")
                .remedy("write it to a file: --output energy.pb.gz"),
        );
    }
    let bytes = bytes(args)?;
    match &args.output {
        Some(path) if !to_stdout => {
            let owner = Identity::resolve(&RunAs::Caller)?.files;
            output_file::replace(path, owner.as_ref(), &bytes)?;
        }
        _ => output::settle(io::stdout().write_all(&bytes))?,
    }
    Ok(0)
}

fn bytes(args: &ExportArgs) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if args.format == ExportFormat::Csv {
        series(args, &mut bytes)?;
        return Ok(bytes);
    }
    let profile = attribution::profile(&args.file, &args.attribution, &args.symbols.names())?;
    match args.format {
        ExportFormat::Json | ExportFormat::Csv => {
            output::report(
                &profile,
                &View::default(),
                Format::Json,
                Look::PLAIN,
                &mut bytes,
            )?;
        }
        ExportFormat::Pprof => output::settle(export::pprof::write(&profile, &mut bytes))?,
        ExportFormat::Speedscope => {
            output::settle(export::speedscope::write(&profile, &mut bytes))?;
        }
        ExportFormat::Folded => output::settle(output::folded::write(&profile, &mut bytes))?,
        ExportFormat::Openmetrics => {
            output::settle(export::openmetrics::write(&profile, &mut bytes))?;
        }
    }
    Ok(bytes)
}

/// Rows are written as stretches are charged.
fn series(args: &ExportArgs, out: &mut Vec<u8>) -> Result<()> {
    let mut series = export::series::Series::new(out).map_err(written)?;
    let mut failed = None;
    pipeline::watch(
        &args.file,
        |header| attribution::settings(&args.attribution, &header.meters),
        &mut |header, stretch| {
            if failed.is_none() {
                failed = series.push(header, stretch).err();
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
