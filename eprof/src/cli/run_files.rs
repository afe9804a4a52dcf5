//! The files that `eprof run` writes, and what several of its ways share.

use std::path::{Path, PathBuf};

use super::args::RunArgs;
use super::file_names::{Here, is_pattern, numbered};
use crate::error::{Error, ErrorKind, Result};
use crate::launch::{Identity, UserId, output_directory, output_file, writable};
use crate::output;
use crate::pipeline::Names;
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
    pub(super) fn of(args: &RunArgs) -> Result<Self> {
        let to_stdout = Path::new("-");
        let named = [
            Some(&args.output),
            args.flamegraph.as_ref(),
            args.report.as_ref(),
        ];
        if named.into_iter().flatten().any(|path| path == to_stdout) {
            return Err(Error::new(
                ErrorKind::Usage,
                "nothing of eprof goes to standard output, which is the command's alone",
            )
            .hint("name a file; ./- is one that is called -"));
        }
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

    /// Refuses before the run what could not be written after it.
    pub(super) fn check(&self, args: &RunArgs, plan: &Plan) -> Result<()> {
        let owner = Identity::resolve(&plan.run_as)?.files;
        // Where nobody named it, the recording beside it shows as well, and in its turn,
        // whether there can be files.
        let beside = |picture: &Path| {
            let recording = self.recordings.first().and_then(|path| path.parent());
            args.flamegraph.is_none() && picture.parent() == recording
        };
        if let Some(picture) = self.picture.as_deref().filter(|path| !beside(path)) {
            writable::check(picture, owner.as_ref()).map_err(|error| match error.given_hint() {
                Some(_) => error,
                None => error.hint("name another --flamegraph FILE, or draw none: --no-flamegraph"),
            })?;
        }
        match &self.report {
            Some(report) => writable::check(report, owner.as_ref()),
            None => Ok(()),
        }
    }

    /// Makes the directories of recordings that are called by what is only
    /// known now, so that nobody can have made them.
    pub(super) fn make_room(&self, args: &RunArgs, plan: &Plan) -> Result<()> {
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
