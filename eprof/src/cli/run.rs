//! `eprof run`.

use std::io::{self, Write as _};
use std::path::Path;

use super::args::RunArgs;
use super::naming::NameSearch;
use super::plan::{self, Asked};
use super::run_files::{self, Files, draw};
use super::run_repeat;
use super::say::{complain, say};
use crate::error::{ErrorKind, Result};
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
    files.check(args, &plan)?;
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
    let mut ending = Ending::default();
    ending.note(recorded.failure.map_or(Ok(()), Err));
    let recording = Recording {
        asked: first,
        found: recorded.whereabouts.as_deref(),
    };
    recording.tell();

    let mut analysis = args
        .measuring
        .attribution
        .analysis(first, run_files::names(args))
        .of(recorded.data);
    if let Some(profile) = ending.note(analysis.profile()) {
        let owner = recorded.owner.as_ref();
        let picture = files.picture.as_deref();
        // A picture that cannot be written is no reason to keep the numbers back.
        let drawn = picture.map_or(Ok(()), |picture| draw(picture, &profile, owner));
        let picture = picture.filter(|_| drawn.is_ok());
        let reported = report(args, &files, &profile, owner, (picture, recording));
        ending.note(reported);
        ending.note(drawn);
    }
    Ok(ending.code(recorded.exit.code))
}

/// What went wrong after the target had run: it is said, but the target's exit
/// code goes before that of eprof.
#[derive(Default)]
struct Ending(Option<ErrorKind>);

impl Ending {
    /// Says what went wrong, if anything did.
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result
            .map_err(|error| {
                complain(&error);
                self.0.get_or_insert(error.kind());
            })
            .ok()
    }

    /// The exit code where the target's is `target`.
    fn code(&self, target: u8) -> u8 {
        match (target, self.0) {
            (0, Some(kind)) => kind.exit_code(),
            _ => target,
        }
    }
}

/// Where the recording was to be, and is.
#[derive(Clone, Copy)]
struct Recording<'a> {
    asked: &'a Path,
    found: Option<&'a Path>,
}

impl Recording<'_> {
    /// Says that another run took its name.
    fn tell(self) {
        if let Some(found) = self.found.filter(|found| *found != self.asked) {
            let (asked, found) = (self.asked.display(), found.display());
            say(format_args!(
                "warning: another run records to {asked}; the recording of this one is {found}"
            ));
        }
    }
}

/// Writes the report, and where the files are.
fn report(
    args: &RunArgs,
    files: &Files,
    profile: &Profile,
    owner: Option<&UserId>,
    (picture, recording): (Option<&Path>, Recording<'_>),
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
    let mut bytes = Vec::new();
    if format == Format::Table {
        bytes.push(b'\n');
    }
    output::report(profile, &view, format, style, &mut bytes)?;
    // Where standard error cannot be written, nobody can be told.
    let _ = stderr.lock().write_all(&bytes);
    if format == Format::Table {
        let picture = picture.map(|path| format!("flamegraph: {}", path.display()));
        let recording = recording
            .found
            .map(|path| format!("recording: {}", path.display()));
        match (picture, recording) {
            (None, None) => {}
            (Some(picture), Some(recording)) => {
                say(format_args!("{picture}   {recording} (eprof report)"));
            }
            (Some(line), None) | (None, Some(line)) => say(line),
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
