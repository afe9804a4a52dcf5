//! The whole flow in one file: [`record`] goes from a command to a recording,
//! [`analyse`] from a recording to a profile. Outputs are made of profiles
//! only.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::attribute::{self, Attributed, ChargedSpan, Observer, Processes, Settings};
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::idle::watch::Idling;
use crate::idle::{KnownIdle, find};
use crate::kernel::{Probe, Sideband};
use crate::launch::{
    Child, Command, ExitStatus, Follow, Identity, InheritedFiles, Limits, OutputFile, SignalSet,
    UserId,
};
use crate::measurement::Counter;
use crate::profile::{
    Detail, Group, PowerSeries, PowerSeriesObserver, Profile, Sum, TimedSamples,
    TimedSamplesObserver,
};
use crate::recording::merged::Labels;
use crate::recording::{Capture, Catalog, Header, Merged, RecordingFile, Samples};
use crate::session::{Plan, Recorder, header};
use crate::source::Selected;
use crate::symbol::{self, Search};
use crate::timeline::LiveStatus;
use crate::unit::Nanos;
use crate::{clock, launch, source};

/// How long an idle machine is watched before the run, where its idle power
/// is not known otherwise.
const IDLE_WATCH: Duration = Duration::from_millis(500);

/// A run that was recorded.
#[derive(Debug)]
pub struct Recorded {
    /// How the target ended.
    pub exit: ExitStatus,
    /// Whom files belong to; `None`: eprof's own user.
    pub owner: Option<UserId>,
    /// Why the recording is not whole, where it is not.
    pub failure: Option<Error>,
    /// How long the target ran while it was measured; eprof's own beginning and
    /// end are not in it. `None` where the measurement never began.
    pub ran: Option<Nanos>,
    /// The signal by which somebody asked eprof to come to an end.
    pub interrupted: Option<Signal>,
}

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// An interval has ended.
    Moment(&'a LiveStatus),
    /// The target has ended, and names are looked for.
    Naming(symbol::Progress),
}

/// Runs the target and records it. `signals` come to eprof or are passed on;
/// `watch` is told how it goes.
///
/// # Errors
///
/// Whatever keeps the target from being run or measured.
pub fn record(
    plan: &Plan,
    signals: &SignalSet,
    search: &Search,
    watch: &mut dyn FnMut(News<'_>),
) -> Result<Recorded> {
    // Everything that can be refused comes before the target exists.
    let inherited = InheritedFiles::now();
    let identity = Identity::resolve(&plan.run_as)?;
    let limits = Limits::now();
    let mut selected = source::select(&plan.root, plan.source, plan.calibration.as_deref())?;
    let mut caveats = std::mem::take(&mut selected.caveats);
    let known = plan.known_idle.as_ref();
    let known = known.and_then(|known| known.of(selected.source.meters()));
    let mut idle = match known {
        Some(idle) => idle,
        None => look_at_idle(plan, &mut selected)?,
    };
    caveats.append(&mut idle.caveats);
    let mut probe = Probe::load(&plan.kernel(&selected.cpu_groups))?;
    if plan.cycles_required && !probe.counters().contains(&Counter::Cycles) {
        return Err(Error::new(
            ErrorKind::Unavailable,
            "there are no cycle counters to weigh by",
        )
        .hint("choose --attribution auto or time"));
    }
    let follow = launch::follow();
    if let Follow::Fork(why) = &follow {
        caveats.push(why.clone());
    }
    let command = Command::new(&plan.program, &plan.arguments)
        .signal_mask(signals.original_mask())
        .limits(limits)
        .inherited(inherited)
        .streams(plan.streams.clone());
    let prepared = launch::prepare(command, follow.cgroup(), &identity)?;
    let file = OutputFile::create(&plan.output, identity.files.as_ref())?;
    let header = header::describe(plan, &selected, idle, &probe, &follow, caveats);
    let mut capture = Capture::new(file.file(), header)?;
    if let Some(rank) = plan.rank {
        capture.labels([("rank".to_owned(), rank.to_string())].into())?;
    }

    // The hooks see the target's birth, and so everything after it.
    let mut child = probe.adopting(|| prepared.spawn())??;
    let mut caveats = Vec::new();
    let sideband = watch_target(&mut probe, &follow, &child, &mut caveats)?;
    let mut recorder = Recorder::new(probe, selected.source, sideband, capture, caveats);
    let mut moments = |moment: &LiveStatus| watch(News::Moment(moment));
    let cgroup = follow.cgroup();
    let followed = recorder.follow(plan, &mut child, signals, cgroup, &mut moments);
    if let Err(error) = followed {
        let released = recorder.released();
        drop(recorder);
        if !released {
            // An older recording must not be lost for a target that never ran.
            file.discard()?;
        }
        return Err(error);
    }
    let exit = child.reap()?;
    let ended = clock::now();
    if let Follow::Cgroup(cgroup) = follow {
        recorder.left_running(cgroup.remove().moved);
    }
    let ran = recorder.ran();
    let interrupted = recorder.interrupted();
    let mut naming = |progress| watch(News::Naming(progress));
    let failure = recorder.finish(exit, ended, search, &mut naming)?;
    Ok(Recorded {
        exit,
        owner: identity.files,
        failure,
        ran,
        interrupted,
    })
}

/// Finds idle power once, for several runs that go by `plan` otherwise; they
/// get it as [`Plan::known_idle`].
///
/// # Errors
///
/// As [`record`], for a source that cannot be had.
pub fn idle_power(plan: &Plan) -> Result<KnownIdle> {
    let mut selected = source::select(&plan.root, plan.source, plan.calibration.as_deref())?;
    let idle = look_at_idle(plan, &mut selected)?;
    Ok(KnownIdle::new(selected.source.meters(), idle))
}

fn look_at_idle(plan: &Plan, selected: &mut Selected) -> Result<Idling> {
    find::find(
        selected.source.as_mut(),
        &plan.root,
        plan.idle_power.as_ref(),
        plan.calibration.as_deref(),
        IDLE_WATCH,
    )
}

/// Attributes the energy of a recording, and gives the rows their names. Of a
/// file of several recordings, the sum of their profiles.
///
/// # Errors
///
/// A file that is not a recording, settings that do not fit it, or (a defect)
/// a ledger that does not balance.
pub fn analyse(path: &Path, settings: impl Fn(&Header) -> Result<Settings>) -> Result<Profile> {
    analyse_in_detail(path, &Names::default(), settings, &mut |_| {})
}

/// What the code of a recording is called.
#[derive(Debug, Default)]
pub struct Names {
    /// How closely code is told apart.
    pub detail: Detail,
    /// Where names are looked for that the recording lacks; `None`: nowhere.
    pub search: Option<Search>,
}

/// The same, with names as `names` says. `naming` is told how the search for
/// missing names goes.
///
/// # Errors
///
/// As [`analyse`].
pub fn analyse_in_detail(
    path: &Path,
    names: &Names,
    settings: impl Fn(&Header) -> Result<Settings>,
    naming: &mut dyn FnMut(symbol::Progress),
) -> Result<Profile> {
    let Some(merged) = Merged::open(path)? else {
        return profile(RecordingFile::open(path)?, names, &settings, naming);
    };
    let mut sum = Sum::new();
    for member in &merged.members {
        // One recording at a time is in memory.
        let recording = merged.recording(member)?;
        let profile = profile(recording, names, &settings, naming)?;
        sum.add(profile, member.labels.clone());
    }
    sum.finish(merged.caveats).ok_or_else(|| {
        let sentence = format!("{} holds no recording", path.display());
        Error::new(ErrorKind::Data, sentence)
    })
}

/// The sum of the profiles of the recordings at `paths`, each labelled with
/// its file's name.
///
/// # Errors
///
/// As [`analyse`]; `Usage` for no recording.
pub fn analyse_all(
    paths: &[PathBuf],
    names: &Names,
    settings: impl Fn(&Header) -> Result<Settings>,
) -> Result<Profile> {
    let mut sum = Sum::new();
    for path in paths {
        let recording = RecordingFile::open(path)?;
        let labels = labels(&recording.catalog, path);
        sum.add(profile(recording, names, &settings, &mut |_| {})?, labels);
    }
    let nothing = || Error::new(ErrorKind::Usage, "there is no recording to be added up");
    sum.finish(Vec::new()).ok_or_else(nothing)
}

/// What the recording at `path` is told from others by.
pub fn labels(catalog: &Catalog, path: &Path) -> Labels {
    let mut labels = catalog.labels.clone();
    labels.insert("host".to_owned(), catalog.header.host.clone());
    let file = path.file_name().unwrap_or(path.as_os_str());
    labels.insert("file".to_owned(), file.to_string_lossy().into_owned());
    labels
}

fn profile(
    mut recording: RecordingFile,
    names: &Names,
    settings: &impl Fn(&Header) -> Result<Settings>,
    naming: &mut dyn FnMut(symbol::Progress),
) -> Result<Profile> {
    name(&mut recording, names, naming);
    let attributed = attributed(&recording, settings, &mut ())?;
    let catalog = &recording.catalog;
    Ok(Profile::in_detail(catalog, &attributed, names.detail))
}

/// The same, with power over time: the `most` largest consumers, grouped as
/// `group` says (`None`: as fits the run). Several recordings in one file have
/// no common time.
///
/// # Errors
///
/// As [`analyse`].
pub fn analyse_over_time(
    path: &Path,
    names: &Names,
    (group, most): (Option<Group>, usize),
    settings: impl Fn(&Header) -> Result<Settings>,
    naming: &mut dyn FnMut(symbol::Progress),
) -> Result<(Profile, Option<PowerSeries>)> {
    if Merged::open(path)?.is_some() {
        let profile = analyse_in_detail(path, names, settings, naming)?;
        return Ok((profile, None));
    }
    let mut recording = RecordingFile::open(path)?;
    name(&mut recording, names, naming);
    let catalog = &recording.catalog;
    let mut watch = PowerSeriesObserver::new(&catalog.header);
    let attributed = attributed(&recording, settings, &mut watch)?;
    let course = watch.finish(catalog, &attributed, group, most);
    let profile = Profile::in_detail(catalog, &attributed, names.detail);
    Ok((profile, Some(course)))
}

/// The same, with all samples in time.
///
/// # Errors
///
/// As [`analyse`]; `Usage` for several recordings in one file, which have no
/// common time.
pub fn analyse_samples(
    path: &Path,
    names: &Names,
    settings: impl Fn(&Header) -> Result<Settings>,
    naming: &mut dyn FnMut(symbol::Progress),
) -> Result<(Profile, TimedSamples)> {
    if Merged::open(path)?.is_some() {
        return Err(several(path));
    }
    let mut recording = RecordingFile::open(path)?;
    name(&mut recording, names, naming);
    let catalog = &recording.catalog;
    let mut watch = TimedSamplesObserver::default();
    let attributed = attributed(&recording, settings, &mut watch)?;
    let moments = watch.finish(catalog, &attributed, names.detail);
    let profile = Profile::in_detail(catalog, &attributed, names.detail);
    Ok((profile, moments))
}

/// That what was asked for is of one run only.
pub fn several(path: &Path) -> Error {
    let sentence = format!(
        "{} holds several runs, which have no common time",
        path.display()
    );
    Error::new(ErrorKind::Usage, sentence).hint("name the recording of one run")
}

/// Finds the names that a recording lacks.
fn name(recording: &mut RecordingFile, names: &Names, naming: &mut dyn FnMut(symbol::Progress)) {
    if let Some(search) = &names.search {
        let lines = names.detail.lines;
        let found = symbol::late(&recording.catalog, search, lines, naming);
        let catalog = &mut recording.catalog;
        catalog.symbols.extend(found.symbols);
        let lines = found.lines.into_iter();
        catalog.lines.extend(lines.map(|of| (of.frame, of.lines)));
        catalog.caveats.extend(found.caveats);
    }
}

/// Attributes the energy of a recording; `watch` is told of every stretch of
/// known energy as it is charged, in order of time for each meter, with the
/// recording's header and labels. Several recordings in one file follow each
/// other.
///
/// # Errors
///
/// As [`analyse`].
pub fn watch(
    path: &Path,
    settings: impl Fn(&Header) -> Result<Settings>,
    watch: &mut dyn FnMut(&Header, &Labels, &ChargedSpan<'_>),
) -> Result<()> {
    let mut each = |recording: &RecordingFile, labels: &Labels| {
        let header = trusted(&recording.catalog);
        let mut watch = |stretch: &ChargedSpan<'_>| watch(&header, labels, stretch);
        attributed(recording, &settings, &mut watch).map(drop)
    };
    let Some(merged) = Merged::open(path)? else {
        let recording = RecordingFile::open(path)?;
        return each(&recording, &recording.catalog.labels);
    };
    for member in &merged.members {
        each(&merged.recording(member)?, &member.labels)?;
    }
    Ok(())
}

/// What the target counted of `counter` in the recording at `path`; `None`
/// where that was not counted, or cannot be trusted.
///
/// # Errors
///
/// A file that is not a recording.
pub fn counted(path: &Path, counter: Counter) -> Result<Option<u64>> {
    let recording = RecordingFile::open(path)?;
    let end = recording.catalog.end.as_ref();
    let distrusted = end.is_none_or(|end| end.distrusted.contains(&counter));
    if distrusted || !recording.catalog.header.counts(counter) {
        return Ok(None);
    }
    let processes = Processes::of(&recording.catalog.tasks);
    let mut sum = 0u64;
    for interval in recording.intervals(Samples::Skipped)? {
        let interval = interval?;
        let target = processes.of_target(&interval.cpus, &interval.threads);
        sum = sum.saturating_add(target.counts[counter as usize]);
    }
    Ok(Some(sum))
}

/// The header, without the counters that cannot be trusted: only at the end is
/// it known whether they ran all the time.
fn trusted(catalog: &Catalog) -> Header {
    let mut header = catalog.header.clone();
    if let Some(end) = &catalog.end {
        header
            .counters
            .retain(|counter| !end.distrusted.contains(counter));
    }
    header
}

fn attributed(
    recording: &RecordingFile,
    settings: impl FnOnce(&Header) -> Result<Settings>,
    watch: &mut impl Observer,
) -> Result<Attributed> {
    let catalog = &recording.catalog;
    let header = trusted(catalog);
    let settings = settings(&header)?;
    let intervals = |samples| recording.intervals(samples);
    attribute::attribute(&header, &catalog.tasks, intervals, &settings, watch)
}

/// Begins to sample the target's stacks and to watch its mappings: those of
/// its cgroup, or of its first process and all that it forks. Without the
/// mappings, user code has no names; all else is as good.
fn watch_target(
    probe: &mut Probe,
    follow: &Follow,
    child: &Child,
    caveats: &mut Vec<Caveat>,
) -> Result<Option<Sideband>> {
    let sideband = match follow.cgroup() {
        Some(cgroup) => {
            let directory = cgroup.directory().try_clone_to_owned();
            let directory = directory
                .map(File::from)
                .map_err(|error| Error::io("open", cgroup.path(), &error))?;
            match probe.sample_cgroup(&directory) {
                Ok(()) => Sideband::cgroup(&directory, probe.cpus()),
                // Some kernels count in no cgroup until a controller is enabled
                // in the root of the hierarchy.
                Err(error) => {
                    caveats.push(
                        Caveat::new(
                            "no-cgroup-events",
                            format!("stacks are sampled by process, not by cgroup: {error}"),
                        )
                        .hint("sudo sh -c 'echo +cpu > /sys/fs/cgroup/cgroup.subtree_control'"),
                    );
                    of_process(probe, child)?
                }
            }
        }
        None => of_process(probe, child)?,
    };
    Ok(sideband
        .map_err(|error| {
            let caveat = Caveat::new("no-mappings", format!("user code has no names: {error}"));
            caveats.push(match error.given_hint() {
                Some(hint) => caveat.hint(hint),
                None => caveat,
            });
        })
        .ok())
}

/// Samples the target's first process and all that it forks. The outer error
/// is that of sampling, the inner one that of watching mappings.
fn of_process(probe: &mut Probe, child: &Child) -> Result<Result<Sideband>> {
    probe.sample_process(child.pid())?;
    Ok(Sideband::process(child.pid(), probe.cpus()))
}
