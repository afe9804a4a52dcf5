//! The checks of `eprof doctor`, and its verdict.

use std::os::unix::fs::PermissionsExt as _;

use serde::Serialize;

use super::trials::{Refused, Trials};
use crate::host::caps::{Capability, Lockdown, Privileges};
use crate::host::energy_filter::{self, Filter};
use crate::host::kernel::{self, Kernel};
use crate::host::processor::Processor;
use crate::host::root::SysRoot;
use crate::host::{elevation, remedy};
use crate::measurement::SourceKind;
use crate::source::{Candidate, candidates};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It works.
    Ok,
    /// eprof cannot tell.
    Unknown,
    /// eprof works, but less well.
    Degraded,
    /// Something that eprof needs is not there.
    Missing,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A stable name in kebab-case.
    pub name: &'static str,
    /// How it came out.
    pub state: State,
    /// What was found, in one sentence.
    pub sentence: String,
    /// The exact command that mends it, where there is one.
    pub hint: Option<String>,
}

/// What `eprof run` can do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It measures: exit code 0.
    Measure,
    /// There is no usable meter: it estimates. Exit code 3.
    Estimate,
    /// It cannot run at all: exit code 4.
    CannotRun,
}

impl Verdict {
    /// The exit code of `eprof doctor`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Measure => 0,
            Self::Estimate => 3,
            Self::CannotRun => 4,
        }
    }
}

/// All checks and the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What `eprof run` can do here.
    pub verdict: Verdict,
    /// In a fixed order: what is needed first, what is good to know last.
    pub checks: Vec<Check>,
}

/// Examines the machine: the files below `root`, the running kernel by trying
/// things out, and the meters by reading them.
pub fn diagnose(root: &SysRoot) -> Diagnosis {
    let cpus = crate::host::Cpus::read(root);
    let cpu = cpus.online.first().map_or(0, |cpu| cpu.cpu);
    assess(root, &Trials::run(root, cpu), &candidates(root))
}

/// The diagnosis from what was found.
pub fn assess(root: &SysRoot, trials: &Trials, sources: &[Candidate]) -> Diagnosis {
    let privileges = Privileges::read(root);
    let processor = Processor::read(root);
    let kernel = Kernel::read(root);
    let checks = vec![
        check_kernel(&kernel),
        check_capabilities(Installation::here()),
        check_lockdown(&privileges),
        check_program(trials),
        check_event(trials, &privileges),
        check_btf(&kernel),
        check_cgroup(trials),
        check_symbols(&privileges),
        check_meters(sources),
        check_hypervisor(&processor),
        check_container(root),
        check_filter(energy_filter::read(root, &processor)),
        check_governor(root),
    ];
    let missing = |check: &Check| check.state == State::Missing && check.name != METERS;
    let measured = |one: &Candidate| one.usable && one.kind != SourceKind::Model;
    let verdict = if checks.iter().any(missing) {
        Verdict::CannotRun
    } else if sources.iter().any(measured) {
        Verdict::Measure
    } else {
        Verdict::Estimate
    };
    Diagnosis { verdict, checks }
}

/// The check whose failure leaves the model.
const METERS: &str = "meters";

fn check(name: &'static str, state: State, sentence: impl Into<String>) -> Check {
    Check {
        name,
        state,
        sentence: sentence.into(),
        hint: None,
    }
}

impl Check {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What helps against a refusal: what `eprof run` would hint at, or nothing.
    fn hint_of(mut self, refused: &Refused) -> Self {
        self.hint.clone_from(&refused.hint);
        self
    }
}

fn check_kernel(kernel: &Kernel) -> Check {
    let name = "kernel";
    let (major, minor) = kernel::OLDEST;
    let release = &kernel.release;
    if kernel.version.is_none() {
        let sentence = format!("the release “{release}” does not begin with a version");
        check(name, State::Unknown, sentence)
    } else if kernel.is_too_old() {
        let sentence = format!("Linux {release} is too old: eprof needs {major}.{minor}");
        check(name, State::Missing, sentence).hint(format!("boot Linux {major}.{minor} or newer"))
    } else {
        check(name, State::Ok, format!("Linux {release}"))
    }
}

/// Who gives eprof its rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installation {
    /// Its user has them, or nobody.
    Plain,
    /// Its file has them, for those who may execute it: everybody, or not.
    File {
        /// Whether everybody may.
        everybody: bool,
    },
}

impl Installation {
    /// That of this process.
    fn here() -> Self {
        if !elevation::is_elevated() {
            return Self::Plain;
        }
        let mode = std::fs::metadata("/proc/self/exe").map(|file| file.permissions().mode());
        Self::File {
            everybody: mode.map_or(true, |mode| mode & 0o001 != 0),
        }
    }
}

/// What the file's own capabilities open, and to whom.
pub fn check_capabilities(installation: Installation) -> Check {
    let name = "capabilities";
    match installation {
        Installation::Plain => check(
            name,
            State::Ok,
            "eprof has no rights beyond those of its user",
        ),
        Installation::File { everybody: false } => check(
            name,
            State::Ok,
            "the file of eprof has capabilities, and not everybody may execute it; for who is \
             not root, meters are read coarsely and kernel addresses are left out",
        ),
        Installation::File { everybody: true } => check(
            name,
            State::Degraded,
            "everybody may execute this eprof with its capabilities, and so read the machine's \
             energy (PLATYPUS, CVE-2020-8694) and profile the kernel",
        )
        .hint(remedy::RECIPE),
    }
}

fn check_lockdown(privileges: &Privileges) -> Check {
    match privileges.lockdown {
        Lockdown::Confidentiality => check(
            "lockdown",
            State::Missing,
            "the kernel's lockdown for confidentiality forbids tracing",
        )
        .hint("boot with lockdown=integrity on the kernel command line"),
        Lockdown::Integrity => check(
            "lockdown",
            State::Ok,
            "the kernel's lockdown for integrity still allows tracing",
        ),
        Lockdown::None => check("lockdown", State::Ok, "the kernel is not locked down"),
    }
}

fn check_program(trials: &Trials) -> Check {
    match &trials.program {
        Ok(()) => check("bpf", State::Ok, "the kernel loads eprof's programs"),
        Err(refused) => check("bpf", State::Missing, &refused.why).hint_of(refused),
    }
}

/// The switch that decides who may open perf events.
const PARANOID: &str = "kernel.perf_event_paranoid";

fn check_event(trials: &Trials, privileges: &Privileges) -> Check {
    let name = "perf-events";
    match &trials.event {
        Ok(()) => check(name, State::Ok, "the kernel opens CPU-wide perf events"),
        Err(refused) => {
            let why = &refused.why;
            let level = match privileges.perf_event_paranoid {
                Some(level) if !why.contains(PARANOID) => format!(" ({PARANOID} is {level})"),
                _ => String::new(),
            };
            let sentence = format!("the kernel opens no CPU-wide perf event: {why}{level}");
            check(name, State::Missing, sentence).hint_of(refused)
        }
    }
}

fn check_btf(kernel: &Kernel) -> Check {
    if kernel.btf {
        return check("btf", State::Ok, "the kernel carries its type information");
    }
    check(
        "btf",
        State::Degraded,
        "the kernel has no BTF type information: eprof uses slower hooks",
    )
    .hint("boot a kernel built with CONFIG_DEBUG_INFO_BTF=y")
}

fn check_cgroup(trials: &Trials) -> Check {
    match &trials.cgroup {
        Ok(parent) => check(
            "cgroup",
            State::Ok,
            format!("eprof can make a cgroup below {}", parent.display()),
        ),
        Err(why) => check(
            "cgroup",
            State::Degraded,
            format!("{why}; eprof follows the target by its forks instead"),
        )
        .hint("systemd-run --user --scope -p Delegate=yes eprof run …   # or run it with sudo"),
    }
}

fn check_symbols(privileges: &Privileges) -> Check {
    match privileges.kptr_restrict {
        Some(2..) => check(
            "kernel-symbols",
            State::Degraded,
            "kernel.kptr_restrict hides kernel addresses: kernel functions have no names",
        )
        .hint("sudo sysctl kernel.kptr_restrict=1"),
        // `kallsyms_show_value` of kernel/kallsyms.c: without the capability,
        // only where profiling the kernel is free for all anyway.
        Some(restrict)
            if privileges.has(Capability::Syslog)
                || (restrict == 0 && privileges.perf_event_paranoid.is_some_and(|p| p <= 1)) =>
        {
            check("kernel-symbols", State::Ok, "kernel functions have names")
        }
        Some(_) => check(
            "kernel-symbols",
            State::Degraded,
            "without CAP_SYSLOG kernel functions have no names",
        )
        .hint(remedy::RECIPE),
        None => check(
            "kernel-symbols",
            State::Unknown,
            "eprof cannot read kernel.kptr_restrict",
        ),
    }
}

fn check_meters(sources: &[Candidate]) -> Check {
    let measured = |one: &&Candidate| one.usable && one.kind != SourceKind::Model;
    let best = sources.iter().find(|one| one.chosen).filter(measured);
    let Some(best) = best.or_else(|| sources.iter().find(measured)) else {
        let sentence = "no meter is usable: eprof estimates energy from CPU time (eprof list \
                        says why)";
        let missing = check(METERS, State::Missing, sentence);
        return match sources.iter().find_map(Candidate::first_hint) {
            Some(hint) => missing.hint(hint),
            None => missing,
        };
    };
    let mut domains: Vec<&str> = best
        .meters
        .iter()
        .filter(|note| note.usable)
        .filter_map(|note| Some(note.domain?.name()))
        .collect();
    domains.dedup();
    let sentence = format!("{} counts {}", best.kind.name(), domains.join(", "));
    check(METERS, State::Ok, sentence)
}

fn check_hypervisor(processor: &Processor) -> Check {
    match processor.hypervisor {
        Some(true) => check(
            "hypervisor",
            State::Degraded,
            "this is a virtual machine: other machines share its hardware, and the hypervisor \
             decides what meters show",
        ),
        Some(false) => check("hypervisor", State::Ok, "this is not a virtual machine"),
        None => check(
            "hypervisor",
            State::Unknown,
            "this processor does not say whether it is virtual",
        ),
    }
}

fn check_container(root: &SysRoot) -> Check {
    match remedy::container(root) {
        Some(mark) => check(
            "container",
            State::Degraded,
            format!("this is a container ({mark}): the host's files may be hidden or read-only"),
        ),
        None => check("container", State::Ok, "no sign of a container"),
    }
}

fn check_filter(filter: Filter) -> Check {
    let name = "energy-filter";
    match filter {
        Filter::NotApplicable => check(
            name,
            State::Ok,
            "only Intel processors filter energy counters",
        ),
        Filter::Off => check(
            name,
            State::Ok,
            "the processor does not filter its energy counters",
        ),
        Filter::On => check(
            name,
            State::Degraded,
            "the processor filters its energy counters (SGX, or MSR_MISC_PACKAGE_CTLS): short \
             intervals are noisy, the whole run stays right",
        )
        .hint("switch SGX off in the firmware setup if nothing needs it"),
        Filter::Unknown => check(
            name,
            State::Unknown,
            "without /dev/cpu/0/msr eprof cannot tell whether the processor filters its energy \
             counters",
        )
        .hint("sudo modprobe msr"),
    }
}

fn check_governor(root: &SysRoot) -> Check {
    match root.read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") {
        Ok(name) => {
            let name: String = name
                .chars()
                .filter(|c| c.is_ascii_graphic())
                .take(40)
                .collect();
            let sentence = match name.as_str() {
                "performance" => "the frequency governor is performance".to_owned(),
                _ => format!(
                    "the frequency governor is {name}: the power of a busy CPU changes with its \
                     frequency"
                ),
            };
            check("governor", State::Ok, sentence)
        }
        Err(_) => check(
            "governor",
            State::Unknown,
            "this machine does not show its frequency governor",
        ),
    }
}
