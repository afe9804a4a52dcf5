//! `eprof run`.

use std::io;
use std::path::Path;

use super::args::{RunArgs, Weights};
use super::attribution;
use super::naming::Watch;
use crate::error::{Error, ErrorKind, Result};
use crate::host::SysRoot;
use crate::kernel::{Counter, Unwinding};
use crate::output::{self, Format, Look, Progress, View};
use crate::pipeline::{self, Names, News};
use crate::profile::Profile;
use crate::session::Plan;
use crate::source::calibration;
use crate::target::{Account, RunAs, output_file};

pub(super) fn execute(args: &RunArgs, root: SysRoot) -> Result<u8> {
    let plan = plan(args, root)?;
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

/// How stacks are walked, where the environment says so.
fn unwinding() -> Result<Unwinding> {
    let Some(name) = std::env::var_os("EPROF_UNWINDING") else {
        return Ok(Unwinding::default());
    };
    let known = name.to_str().and_then(Unwinding::named);
    known.ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("EPROF_UNWINDING={} is unknown", name.to_string_lossy()),
        )
        .remedy("set it to tables, copies or pointers, or not at all")
    })
}

fn plan(args: &RunArgs, root: SysRoot) -> Result<Plan> {
    let mut words = args.target.iter().cloned();
    let program = words.next().ok_or_else(|| {
        Error::new(ErrorKind::Usage, "there is no command to run")
            .remedy("eprof run -- COMMAND [ARGUMENT…]")
    })?;
    let run_as = match (&args.user, args.as_root) {
        (Some(user), _) => RunAs::User(user.clone()),
        (None, true) => RunAs::Root,
        (None, false) => RunAs::Caller,
    };
    Ok(Plan {
        root,
        source: args.source.into(),
        idle_power: args
            .attribution
            .idle_power
            .as_deref()
            .map(str::parse)
            .transpose()?,
        calibration: calibration::path(
            std::env::var("XDG_CONFIG_HOME").ok().as_deref(),
            std::env::var("HOME").ok().as_deref(),
        ),
        frequency_hz: args.frequency,
        interval: args.interval.into(),
        duration: args.duration.map(Into::into),
        delay: args.delay.map(Into::into),
        counters: args.counters.or(match args.attribution.attribution {
            Weights::Time => &[],
            Weights::Auto | Weights::Cycles | Weights::Model => &Counter::ALL,
        }),
        cycles_required: args.attribution.attribution == Weights::Cycles,
        unwinding: unwinding()?,
        no_btf: std::env::var_os("EPROF_NO_BTF").is_some_and(|value| value == "1"),
        run_as,
        program,
        arguments: words.collect(),
        output: args.output.clone(),
    })
}
