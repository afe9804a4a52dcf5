//! What `eprof run` is to do, with everything decided that can be decided
//! without touching the machine.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::caveat::Caveat;
use crate::host::{SysRoot, elevation};
use crate::idle::KnownIdle;
use crate::kernel::{Settings, Unwinding, VerifierLog};
use crate::launch::{RunAs, Streams};
use crate::measurement::{Counter, CpuGroup, IdlePower};
use crate::source::Choice;
use crate::unit::Nanos;

/// A run to be recorded.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where `/sys` and `/proc` about the machine are read.
    pub root: SysRoot,
    /// Which energy source.
    pub source: Choice,
    /// Idle power, where the user knows it.
    pub idle_power: Option<IdlePower>,
    /// Idle power that was found before, so that nobody looks for it again.
    pub known_idle: Option<KnownIdle>,
    /// Where a saved calibration would be.
    pub calibration: Option<PathBuf>,
    /// Stack samples per second and busy CPU; zero for none.
    pub frequency_hz: u32,
    /// Time between two readings.
    pub interval: Nanos,
    /// When to stop the target.
    pub duration: Option<Nanos>,
    /// How long after the target's start to begin to measure.
    pub delay: Option<Nanos>,
    /// What is counted besides time.
    pub counters: Vec<Counter>,
    /// Whether to refuse to run without cycles.
    pub cycles_required: bool,
    /// Whether to do without BTF.
    pub no_btf: bool,
    /// How stacks are walked, at best.
    pub unwinding: Unwinding,
    /// Takes what the kernel's verifier says of programs that it refuses.
    pub verifier_log: Option<VerifierLog>,
    /// Whom the target runs as.
    pub run_as: RunAs,
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Where the target's standard streams lead.
    pub streams: Streams,
    /// Number of the process in a parallel job, where it is of one; see
    /// [`crate::host::rank`].
    pub rank: Option<u32>,
    /// The recording.
    pub output: PathBuf,
}

/// The shortest interval for who could not read the meters without eprof: what
/// secrets leak through energy takes readings that lie much closer (PLATYPUS,
/// CVE-2020-8694).
const COARSE: Nanos = Nanos(1_000_000_000);

impl Plan {
    /// Whether meters are read less often than asked for, and addresses left out,
    /// as a caveat.
    pub fn coarse(&self) -> Option<Caveat> {
        let sentence = "eprof has capabilities that its user has not: meters are read once a \
                        second only, so that even a shorter command is measured for a second, and \
                        kernel addresses are left out";
        elevation::is_elevated()
            .then(|| Caveat::new("coarse", sentence).hint("sudo eprof run has no such limits"))
    }

    /// The interval between readings: at least a second under elevation.
    pub fn affordable(interval: Nanos) -> Nanos {
        match elevation::is_elevated() {
            true => interval.max(COARSE),
            false => interval,
        }
    }

    /// What the kernel side is asked to do, where `cpu_groups` are distinguished.
    pub fn kernel(&self, cpu_groups: &[CpuGroup]) -> Settings {
        Settings {
            frequency_hz: self.frequency_hz,
            no_btf: self.no_btf,
            unwinding: self.unwinding,
            verifier_log: self.verifier_log.clone(),
            ..Settings::of(&self.root, cpu_groups, &self.counters, self.interval)
        }
    }
}
