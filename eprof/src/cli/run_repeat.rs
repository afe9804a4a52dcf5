//! `eprof run --repeat`: the same command several times, every recording kept.

use std::io::{self, Write as _};
use std::path::PathBuf;

use super::args::{RunArgs, ShortFormat};
use super::attribution;
use super::run_files::{Files, draw, names};
use super::stat::{Line, ended_by, rendered, report_failure};
use crate::error::Result;
use crate::launch::{Identity, output_file};
use crate::output::{self, Progress, Style};
use crate::repeat::{self, Keep, Plan, Results, Subject};
use crate::{pipeline, session};

pub(super) fn execute(args: &RunArgs, base: session::Plan, files: Files) -> Result<u8> {
    let owner = Identity::resolve(&base.run_as)?.files;
    let names = names(args);
    let plan = Plan {
        base,
        subjects: vec![Subject::new(&args.target)],
        rounds: args.repeat as usize,
        warmup: 0,
        seed: 0,
        ignore_failure: false,
        attached: true,
        keep: Some(Keep::Files(files.recordings.clone())),
    };
    let mut progress = Progress::stderr(args.quiet);
    let mut line = Line::default();
    let repeated = repeat::repeat(
        &plan,
        &args.symbols.search(),
        &names,
        &|_| attribution::settings(&args.measuring.attribution),
        &mut |news| line.show(&mut progress, news),
    );
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
            drawn = pipeline::analyse_all(&made, &names, |_| {
                attribution::settings(&args.measuring.attribution)
            })
            .and_then(|sum| draw(picture, &sum, owner.as_ref()));
        }
        let mut results = Results::of(&plan.subjects, plan.rounds, plan.seed, repeated);
        results
            .carbon
            .clone_from(&args.measuring.attribution.carbon);
        let stderr = io::stderr();
        let look = match files.report {
            Some(_) => Style::PLAIN,
            None => Style::of_stderr(&stderr),
        };
        let bytes = rendered(args.format, &results, look)?;
        match &files.report {
            Some(report) => output_file::replace(report, owner.as_ref(), &bytes)?,
            None if args.quiet => {}
            None => {
                output::ignore_broken_pipe(stderr.lock().write_all(&bytes))?;
                if args.format == ShortFormat::Table {
                    told(&made, &files, drawn.is_ok());
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

/// Says where the files are.
fn told(made: &[PathBuf], files: &Files, drawn: bool) {
    eprintln!();
    if let Some(picture) = files.picture.as_ref().filter(|_| drawn) {
        eprintln!("flamegraph of all runs: {}", picture.display());
    }
    if let (Some(first), Some(last)) = (made.first(), made.last()) {
        let more = made.len() - 1;
        match more {
            0 => eprintln!("recording: {}", first.display()),
            _ => eprintln!(
                "recordings: {} to {} (eprof diff, eprof merge)",
                first.display(),
                last.display()
            ),
        }
    }
}
