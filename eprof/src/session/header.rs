//! The header of a recording: what is known before the target starts.

use std::ffi::OsStr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Plan;
use crate::caveat::Caveat;
use crate::clock;
use crate::host::{Kernel, Processor};
use crate::idle::watch::Idling;
use crate::kernel::Probe;
use crate::kernel::loader::object;
use crate::launch::Follow;
use crate::measurement::Event;
use crate::recording::{Command, Header};
use crate::source::Selected;

/// Describes the run that `plan` asks for.
pub fn describe(
    plan: &Plan,
    selected: &Selected,
    idle: Idling,
    probe: &Probe,
    follow: &Follow,
    caveats: Vec<Caveat>,
) -> Header {
    let text = |text: &OsStr| text.to_string_lossy().into_owned();
    let argv = std::iter::once(&plan.program).chain(&plan.arguments);
    let wall_clock = SystemTime::now().duration_since(UNIX_EPOCH);
    Header {
        eprof: env!("CARGO_PKG_VERSION").to_owned(),
        object: object::provenance().to_string(),
        wall_clock_ns: wall_clock
            .ok()
            .and_then(|since| u64::try_from(since.as_nanos()).ok())
            .unwrap_or(0),
        started: clock::now(),
        host: nix::unistd::gethostname().map_or_else(
            |_| String::new(),
            |name| name.to_string_lossy().into_owned(),
        ),
        kernel: Kernel::read(&plan.root).release,
        cpu_model: Processor::read(&plan.root).name,
        command: Command {
            argv: argv.map(|argument| text(argument)).collect(),
            directory: std::env::current_dir()
                .map_or_else(|_| String::new(), |path| text(path.as_os_str())),
        },
        frequency_hz: plan.frequency_hz,
        interval: plan.interval,
        events: Event::with(&probe.counters()),
        follow: match follow {
            Follow::Cgroup(_) => "cgroup",
            Follow::Fork(_) => "fork",
        }
        .to_owned(),
        meters: selected.source.meters().to_vec(),
        cpu_groups: selected.cpu_groups.clone(),
        baselines: idle.baselines,
        models: idle.models,
        caveats,
    }
}
