//! `eprof run`.

use std::io;
use std::path::Path;

use super::args::RunArgs;
use super::naming::NameSearch;
use super::plan::{self, Asked};
use super::run_files::{self, Files, draw};
use super::run_repeat;
use crate::error::Result;
use crate::host::SysRoot;
use crate::launch::{SignalSet, UserId, output_file};
use crate::output::{self, Format, Progress, Style, View};
use crate::pipeline::{self, News};
use crate::profile::Profile;

pub(super) fn execute(args: &RunArgs, root: SysRoot) -> Result<u8> {
    let files = Files::of(args)?;
    let first = files.recordings.first().map_or(&*args.output, |path| path);
    let plan = plan::plan(&asked(args, first), root)?;
    files.make_room(args, &plan)?;
    if args.repeat > 1 {
        return run_repeat::execute(args, plan, files);
    }
    let mut progress = Progress::stderr(args.quiet);
    let mut names = NameSearch::default();
    let signals = SignalSet::block()?;
    let search = args.symbols.search();
    let recorded = pipeline::record(&plan, &signals, &search, &mut |news| match news {
        News::Interval(status) => progress.show(status.at, status),
        News::Naming(so_far) => names.show(&mut progress, so_far),
    })?;
    // From here on they may end eprof: the recording is there.
    drop(signals);
    progress.clear();
    if let Some(failure) = recorded.failure {
        eprintln!("warning: the recording is not whole: {failure}");
    }

    let mut analysis = args
        .measuring
        .attribution
        .analysis(first, run_files::names(args));
    let profile = analysis.profile()?;
    let owner = recorded.owner.as_ref();
    let picture = files.picture.as_deref();
    // A picture that cannot be written is no reason to keep the numbers back.
    let drawn = picture.map_or(Ok(()), |picture| draw(picture, &profile, owner));
    let picture = picture.filter(|_| drawn.is_ok());
    report(args, &files, &profile, owner, picture)?;
    drawn?;
    Ok(recorded.exit.code)
}

/// Writes the report, and where the files are.
fn report(
    args: &RunArgs,
    files: &Files,
    profile: &Profile,
    owner: Option<&UserId>,
    picture: Option<&Path>,
) -> Result<()> {
    let view = View::default();
    let format = args.format;
    if let Some(path) = &files.report {
        let mut bytes = Vec::new();
        output::report(profile, &view, format, Style::PLAIN, &mut bytes)?;
        return output_file::replace(path, owner, &bytes);
    }
    if args.quiet {
        return Ok(());
    }
    let stderr = io::stderr();
    let style = Style::of_stderr(&stderr);
    if format == Format::Table {
        eprintln!();
    }
    output::report(profile, &view, format, style, stderr)?;
    if format == Format::Table {
        let recordings = files.recordings.iter().map(|path| path.display());
        let recording = recordings.map(|path| path.to_string()).collect::<String>();
        match picture.map(Path::display) {
            None => eprintln!("recording: {recording}"),
            Some(picture) => {
                eprintln!("flamegraph: {picture}   recording: {recording} (eprof report)");
            }
        }
    }
    Ok(())
}

/// What the options say about the measurement.
fn asked<'a>(args: &'a RunArgs, output: &'a Path) -> Asked<'a> {
    Asked {
        measuring: &args.measuring,
        frequency: args.frequency,
        duration: args.duration,
        delay: args.delay,
        target: &args.target,
        output,
    }
}
