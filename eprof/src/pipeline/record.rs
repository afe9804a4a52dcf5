//! From a command to a recording.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::host::elevation;
use crate::idle::watch::Idling;
use crate::idle::{KnownIdle, find};
use crate::kernel::{Probe, Sideband};
use crate::launch::{
    Child, Command, ExitStatus, Follow, Identity, InheritedFiles, Limits, OutputFile, SignalSet,
    UserId,
};
use crate::measurement::Counter;
use crate::recording::{Bytes, Capture, IntervalRecord, Sink, is_unfinished};
use crate::session::{Plan, Recorder, header};
use crate::source::Selected;
use crate::symbol::{self, Search};
use crate::timeline::LiveStatus;
use crate::timeline::live::LiveTimeline;
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
    /// The recording, whatever has its name by now.
    pub data: Bytes,
    /// Why the file of it is not whole, where it is not.
    pub failure: Option<Error>,
    /// What it is called by now: another run in the same directory may have moved
    /// it. `None` where it has no name, or what has it cannot be read again
    /// (`/dev/null`, a FIFO).
    pub whereabouts: Option<PathBuf>,
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
    Interval(&'a LiveStatus),
    /// The target has ended, and names are looked for.
    Naming(symbol::Progress),
}

/// Runs the target and records it. `signals` come to eprof or are passed on;
/// `observer` is told how it goes.
///
/// # Errors
///
/// Whatever keeps the target from being run or measured.
pub fn record(
    plan: &Plan,
    signals: &SignalSet,
    search: &Search,
    observer: &mut dyn FnMut(News<'_>),
) -> Result<Recorded> {
    // Everything that can be refused comes before the target exists.
    let inherited = InheritedFiles::now();
    let identity = Identity::resolve(&plan.run_as)?;
    if identity.stranger {
        signals.take_job_control()?;
    }
    let limits = Limits::at_start();
    Limits::raise();
    let mut selected = source::select(&plan.root, plan.source, plan.calibration.as_deref())?;
    let mut caveats = std::mem::take(&mut selected.caveats);
    caveats.extend(plan.coarse());
    let known = plan.known_idle.as_ref();
    let known = known.and_then(|known| known.of(selected.source.meters()));
    let mut idle = match known {
        Some(idle) => idle,
        None => find_idle(plan, &mut selected)?,
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
    let mut file = OutputFile::create(&plan.output, identity.files.as_ref())?;
    let sink = match file.is_regular() {
        true => Sink::file(Arc::clone(file.file())),
        false => Sink::stream(Arc::clone(file.file())),
    };
    let data = Arc::clone(sink.data());
    let header = header::describe(plan, &selected, idle, &probe, &follow, caveats);
    let mut timeline = LiveTimeline::new(&header);
    let mut capture = Capture::new(sink, header)?;
    if elevation::is_elevated() {
        capture.mask_kernel_addresses();
    }
    if let Some(rank) = plan.rank {
        capture.labels([("rank".to_owned(), rank.to_string())].into())?;
    }

    // The hooks see the target being cloned, and so everything after it.
    let mut child = probe.adopting(|| prepared.spawn())??;
    let mut caveats = Vec::new();
    let sideband = watch_target(&mut probe, &follow, &child, &mut caveats)?;
    let mut recorder = Recorder::new(probe, selected.source, sideband, capture, caveats);
    let mut live = |interval: &IntervalRecord, threads: u64| {
        if let Some(status) = timeline.advance(interval, threads) {
            observer(News::Interval(&status));
        }
    };
    let cgroup = follow.cgroup();
    // An older recording makes room for one that is worth it: not where the target
    // never ran, nor where nothing can be written.
    let mut unnamed = None;
    let mut released = || {
        if data.failure().is_none() {
            unnamed = file.publish(is_unfinished).err();
        }
    };
    recorder.follow(plan, &mut child, signals, cgroup, &mut released, &mut live)?;
    let exit = child.reap()?;
    let ended = clock::now();
    if let Follow::Cgroup(cgroup) = follow {
        recorder.left_running(cgroup.remove().moved);
    }
    let ran = recorder.ran();
    let mut interrupted = recorder.interrupted();
    let mut naming = |progress| {
        observer(News::Naming(progress));
        match signals.next() {
            Some(received) => {
                interrupted = interrupted.or(Some(received.signal));
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    };
    let failure = recorder.finish(exit, ended, search, &mut naming)?;
    let cut = data.failure().map(|error| {
        let kept = match file.whereabouts() {
            Some(_) => "the recording ends there",
            None => "the recording is not kept",
        };
        let failed = Error::io("write", &plan.output, error);
        let sentence = format!("{failed}; {kept}, but the report is of the whole run");
        Error::new(failed.kind(), sentence).hint(match error.raw_os_error() {
            Some(libc::EFBIG) => "ulimit -f limits the size of files",
            Some(libc::EDQUOT) => "your quota of that file system is used up",
            _ => "make room there, or choose another place: --output FILE",
        })
    });
    Ok(Recorded {
        exit,
        owner: identity.files,
        data: data.whole(),
        failure: failure.or(cut).or(unnamed),
        whereabouts: file.whereabouts().filter(|_| file.is_regular()),
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
    let idle = find_idle(plan, &mut selected)?;
    Ok(KnownIdle::new(selected.source.meters(), idle))
}

fn find_idle(plan: &Plan, selected: &mut Selected) -> Result<Idling> {
    find::find(
        selected.source.as_mut(),
        &plan.root,
        plan.idle_power.as_ref(),
        plan.calibration.as_deref(),
        IDLE_WATCH,
    )
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
                        .hint(match (error.kind(), error.given_hint()) {
                            // A permission or a resource is what was missing.
                            (ErrorKind::Permission | ErrorKind::Internal, Some(hint)) => hint,
                            _ => "sudo sh -c 'echo +cpu > /sys/fs/cgroup/cgroup.subtree_control'",
                        }),
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
