//! `eprof run --repeat`: the same command several times, every recording kept.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::args::RunArgs;
use super::run_files::{Files, draw, names};
use super::say::say;
use super::stat::{Line, ended_by, rendered, report_failure};
use crate::error::{Error, ErrorKind, Result};
use crate::launch::{Identity, output_file};
use crate::output::{self, Format, Progress, Style, TableFormat};
use crate::pipeline::{self, Analysis};
use crate::repeat::{self, Command, Keep, Plan, Results};
use crate::session;

pub(super) fn execute(args: &RunArgs, base: session::Plan, files: Files) -> Result<u8> {
    let format = format(args)?;
    let owner = Identity::resolve(&base.run_as)?.files;
    let plan = Plan {
        base,
        commands: vec![Command::new(&args.target)],
        rounds: args.repeat as usize,
        warmup: 0,
        seed: 0,
        ignore_failure: false,
        attached: true,
        keep: Some(Keep::Files(files.recordings.clone())),
        settings: args.measuring.attribution.settings(),
        names: names(args),
        search: args.symbols.search(),
    };
    let mut progress = Progress::stderr(args.quiet);
    let mut line = Line::default();
    let repeated = repeat::repeat(&plan, &mut |news| line.show(&mut progress, news));
    progress.clear();
    drop(progress);
    let mut repeated = repeated?;
    let failed = repeated.failed.take();
    let interrupted = repeated.interrupted;
    let made: Vec<PathBuf> = files
        .recordings
        .iter()
        .take(repeated.runs.len())
        .cloned()
        .collect();
    let mut drawn = Ok(());
    if !made.is_empty() {
        if let Some(picture) = &files.picture {
            // No reason to keep the numbers back, should it not be possible.
            let each = made.iter().map(|path| {
                Analysis::new(path)
                    .names(plan.names.clone())
                    .settings(plan.settings.clone())
            });
            drawn = pipeline::sum(each).and_then(|sum| draw(picture, &sum, owner.as_ref()));
        }
        let mut results = Results::of(&plan.commands, plan.rounds, plan.seed, repeated);
        results
            .carbon
            .clone_from(&args.measuring.attribution.carbon);
        let stderr = io::stderr();
        let style = match files.report {
            Some(_) => Style::PLAIN,
            None => Style::of_stderr(&stderr),
        };
        let bytes = rendered(format, &results, style)?;
        match &files.report {
            Some(report) => output_file::replace(report, owner.as_ref(), &bytes)?,
            None if args.quiet => {}
            None => {
                output::ignore_broken_pipe(stderr.lock().write_all(&bytes))?;
                if format == TableFormat::Table {
                    show_files(&made, &files, drawn.is_ok());
                }
            }
        }
    }
    if let Some(failed) = failed {
        report_failure(&failed, false);
        return Ok(failed.exit.code);
    }
    drawn?;
    Ok(ended_by(interrupted))
}

/// The format of several runs, which have no rows as CSV.
fn format(args: &RunArgs) -> Result<TableFormat> {
    match args.format {
        Format::Table => Ok(TableFormat::Table),
        Format::Json => Ok(TableFormat::Json),
        Format::Csv => Err(
            Error::new(ErrorKind::Usage, "several runs are not written as CSV")
                .hint("choose --format table or json; eprof report writes each run as CSV"),
        ),
    }
}

/// Says where the files are.
fn show_files(made: &[PathBuf], files: &Files, drawn: bool) {
    say("");
    if let Some(picture) = files.picture.as_ref().filter(|_| drawn) {
        say(format_args!("flamegraph of all runs: {}", shown(picture)));
    }
    if let (Some(first), Some(last)) = (made.first(), made.last()) {
        let more = made.len() - 1;
        match more {
            0 => say(format_args!("recording: {}", shown(first))),
            _ => say(format_args!(
                "recordings: {} to {} (eprof diff, eprof merge)",
                shown(first),
                shown(last)
            )),
        }
    }
}

fn shown(path: &Path) -> String {
    output::harmless(&path.display().to_string()).into_owned()
}
