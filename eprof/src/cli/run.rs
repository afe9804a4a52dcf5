//! `eprof run`.

use std::io;
use std::path::Path;

use super::args::RunArgs;
use super::attribution;
use super::naming::Watch;
use super::plan::{self, Asked};
use crate::error::Result;
use crate::host::SysRoot;
use crate::output::{self, Format, Look, Progress, View};
use crate::pipeline::{self, Names, News};
use crate::profile::Profile;
use crate::target::{Account, output_file};

pub(super) fn execute(args: &RunArgs, root: SysRoot) -> Result<u8> {
    let plan = plan::plan(&asked(args), root)?;
    let mut progress = Progress::stderr(args.quiet);
    let mut watch = Watch::default();
    let recorded = pipeline::record(&plan, &args.symbols.search(), &mut |news| match news {
        News::Moment(moment) => progress.show(moment.at, moment),
        News::Naming(so_far) => watch.show(&mut progress, so_far),
    })?;
    progress.clear();
    if let Some(failure) = recorded.failure {
        eprintln!("warning: the recording is not whole: {failure}");
    }

    // What could be found has just been looked for.
    let names = Names {
        detail: args.symbols.detail(),
        search: None,
    };
    let profile = attribution::profile(&args.output, &args.attribution, &names)?;
    let owner = recorded.owner.as_ref();
    // A picture that cannot be written is no reason to keep the numbers back.
    let drawn = match args.no_flamegraph {
        true => Ok(None),
        false => draw(args, &profile, owner).map(Some),
    };
    let picture = drawn.as_ref().ok().copied().flatten();
    report(args, &profile, owner, picture)?;
    drawn?;
    Ok(recorded.exit.code)
}

/// Draws the flamegraph; says where it is.
fn draw<'a>(args: &'a RunArgs, profile: &Profile, owner: Option<&Account>) -> Result<&'a Path> {
    let mut svg = Vec::new();
    output::settle(output::flame::write(profile, &mut svg))?;
    output_file::replace(&args.flamegraph, owner, &svg)?;
    Ok(&args.flamegraph)
}

/// Writes the report, and where the files are.
fn report(
    args: &RunArgs,
    profile: &Profile,
    owner: Option<&Account>,
    picture: Option<&Path>,
) -> Result<()> {
    let view = View::default();
    let format = args.format.into();
    if let Some(path) = &args.report {
        let mut bytes = Vec::new();
        output::report(profile, &view, format, Look::PLAIN, &mut bytes)?;
        return output_file::replace(path, owner, &bytes);
    }
    if args.quiet {
        return Ok(());
    }
    let stderr = io::stderr();
    let look = Look::of_stderr(&stderr);
    if format == Format::Table {
        eprintln!();
    }
    output::report(profile, &view, format, look, stderr)?;
    if format == Format::Table {
        let recording = args.output.display();
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
fn asked(args: &RunArgs) -> Asked<'_> {
    Asked {
        source: args.source,
        attribution: &args.attribution,
        frequency: args.frequency,
        interval: args.interval,
        duration: args.duration,
        delay: args.delay,
        counters: &args.counters,
        user: args.user.as_deref(),
        as_root: args.as_root,
        target: &args.target,
        output: &args.output,
    }
}
