//! `eprof run`.

use std::io;
use std::path::{Path, PathBuf};

use super::args::RunArgs;
use super::naming::Watch;
use super::place::{Here, is_pattern, numbered};
use super::plan::{self, Asked};
use super::{attribution, run_again};
use crate::error::Result;
use crate::host::SysRoot;
use crate::launch::{Identity, SignalSet, UserId, output_directory, output_file};
use crate::output::{self, Format, Progress, Style, View};
use crate::pipeline::{self, Names, News};
use crate::profile::Profile;
use crate::session::Plan;

/// The picture's name where none is given.
const PICTURE: &str = "eprof.svg";

/// The files of a run, or of several.
pub(super) struct Files {
    /// A recording for each run.
    pub(super) recordings: Vec<PathBuf>,
    /// The flamegraph; `None` for none.
    pub(super) picture: Option<PathBuf>,
    /// The report; `None` for standard error.
    pub(super) report: Option<PathBuf>,
}

impl Files {
    fn of(args: &RunArgs) -> Result<Self> {
        let here = Here::now();
        let recordings = numbered(&args.output, args.repeat as usize, &here)?;
        let picture = match &args.flamegraph {
            Some(picture) => here.expand(picture)?,
            // Ranks that share a directory must not overwrite each other.
            None if is_pattern(&args.output) => match recordings.first() {
                Some(recording) => recording.with_extension("svg"),
                None => PICTURE.into(),
            },
            None => PICTURE.into(),
        };
        let report = args.report.as_deref();
        Ok(Self {
            recordings,
            picture: (!args.no_flamegraph).then_some(picture),
            report: report.map(|report| here.expand(report)).transpose()?,
        })
    }

    /// Makes the directories of recordings that are called by what is only
    /// known now, so that nobody can have made them.
    fn make_room(&self, args: &RunArgs, plan: &Plan) -> Result<()> {
        if !is_pattern(&args.output) {
            return Ok(());
        }
        let owner = Identity::resolve(&plan.run_as)?.files;
        let directories = self.recordings.iter().filter_map(|path| path.parent());
        let mut directories: Vec<&Path> = directories.collect();
        directories.dedup();
        directories.retain(|directory| !directory.as_os_str().is_empty());
        let mut directories = directories.into_iter();
        directories.try_for_each(|directory| output_directory::create(directory, owner.as_ref()))
    }
}

pub(super) fn execute(args: &RunArgs, root: SysRoot) -> Result<u8> {
    let files = Files::of(args)?;
    let first = files.recordings.first().map_or(&*args.output, |path| path);
    let plan = plan::plan(&asked(args, first), root)?;
    files.make_room(args, &plan)?;
    if args.repeat > 1 {
        return run_again::execute(args, plan, files);
    }
    let mut progress = Progress::stderr(args.quiet);
    let mut watch = Watch::default();
    let signals = SignalSet::block()?;
    let search = args.symbols.search();
    let recorded = pipeline::record(&plan, &signals, &search, &mut |news| match news {
        News::Moment(moment) => progress.show(moment.at, moment),
        News::Naming(so_far) => watch.show(&mut progress, so_far),
    })?;
    // From here on they may end eprof: the recording is there.
    drop(signals);
    progress.clear();
    if let Some(failure) = recorded.failure {
        eprintln!("warning: the recording is not whole: {failure}");
    }

    let profile = attribution::profile(first, &args.measuring.attribution, &names(args))?;
    let owner = recorded.owner.as_ref();
    let picture = files.picture.as_deref();
    // A picture that cannot be written is no reason to keep the numbers back.
    let drawn = picture.map_or(Ok(()), |picture| draw(picture, &profile, owner));
    let picture = picture.filter(|_| drawn.is_ok());
    report(args, &files, &profile, owner, picture)?;
    drawn?;
    Ok(recorded.exit.code)
}

/// What code is called; what could be found has been looked for while it was
/// recorded.
pub(super) fn names(args: &RunArgs) -> Names {
    Names {
        detail: args.symbols.detail(),
        search: None,
    }
}

/// Draws the flamegraph.
pub(super) fn draw(picture: &Path, profile: &Profile, owner: Option<&UserId>) -> Result<()> {
    let mut svg = Vec::new();
    output::ignore_broken_pipe(output::flamegraph::flame::write(profile, &mut svg))?;
    output_file::replace(picture, owner, &svg)
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
    let format = args.format.into();
    if let Some(path) = &files.report {
        let mut bytes = Vec::new();
        output::report(profile, &view, format, Style::PLAIN, &mut bytes)?;
        return output_file::replace(path, owner, &bytes);
    }
    if args.quiet {
        return Ok(());
    }
    let stderr = io::stderr();
    let look = Style::of_stderr(&stderr);
    if format == Format::Table {
        eprintln!();
    }
    output::report(profile, &view, format, look, stderr)?;
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
