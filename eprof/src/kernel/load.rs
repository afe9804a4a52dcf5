//! Loading the object and attaching its hooks.

use std::collections::HashMap;
use std::mem::offset_of;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::Ordering::Relaxed;

use aya::maps::{Map, MapData};
use aya::programs::{BtfTracePoint, ProgramError, RawTracePoint, TracePoint};
use aya::util::KernelVersion;
use aya::{Ebpf, EbpfLoader, VerifierLogLevel};
use eprof_common::CpuState;
use eprof_common::table::{MAX_PAGES, MAX_REGIONS, MAX_RULES};

use super::btf::Btf;
use super::heap;
use super::pmu::Counters;
use super::shared::Shared;
use super::unwinding::{self, Unwinding};
use super::{Settings, object, tracepoint};
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};

/// Hooks with BTF: program, tracepoint.
const BTF_HOOKS: [(&str, &str); 6] = [
    ("born_btf", "task_newtask"),
    ("exec_btf", "sched_process_exec"),
    ("exit_btf", "sched_process_exit"),
    ("free_btf", "sched_process_free"),
    ("rename_btf", "task_rename"),
    ("switch_btf", "sched_switch"),
];

/// A hook without BTF.
struct Classic {
    program: &'static str,
    category: &'static str,
    tracepoint: &'static str,
    /// The constants that hold the offsets of the fields that are read.
    fields: &'static [(&'static str, &'static str)],
}

const CLASSIC_HOOKS: [Classic; 5] = [
    Classic {
        program: "born_classic",
        category: "task",
        tracepoint: "task_newtask",
        fields: &[
            ("NEWTASK_PID", "pid"),
            ("NEWTASK_CLONE_FLAGS", "clone_flags"),
        ],
    },
    Classic {
        program: "exec_classic",
        category: "sched",
        tracepoint: "sched_process_exec",
        fields: &[("EXEC_OLD_PID", "old_pid")],
    },
    Classic {
        program: "exit_classic",
        category: "sched",
        tracepoint: "sched_process_exit",
        fields: &[],
    },
    Classic {
        program: "rename_classic",
        category: "task",
        tracepoint: "task_rename",
        fields: &[("RENAME_PID", "pid"), ("RENAME_NEWCOMM", "newcomm")],
    },
    Classic {
        program: "switch_classic",
        category: "sched",
        tracepoint: "sched_switch",
        fields: &[
            ("SWITCH_NEXT_PID", "next_pid"),
            ("SWITCH_PREV_STATE", "prev_state"),
        ],
    },
];

/// The offsets that the programs need: constant, structure, field.
const FIELDS: [(&str, &str, &str); 8] = [
    ("OFFSET_PID", "task_struct", "pid"),
    ("OFFSET_TGID", "task_struct", "tgid"),
    ("OFFSET_FLAGS", "task_struct", "flags"),
    ("OFFSET_MM", "task_struct", "mm"),
    ("OFFSET_THREAD_PID", "task_struct", "thread_pid"),
    ("OFFSET_GROUP_LEADER", "task_struct", "group_leader"),
    ("OFFSET_LEVEL", "pid", "level"),
    ("OFFSET_NUMBERS", "pid", "numbers"),
];

/// Whose registers the sampling programs see: zero for x86-64, one for AArch64.
const ARCHITECTURE: u32 = cfg!(target_arch = "aarch64") as u32;

/// A loaded and attached object.
pub(super) struct Loaded {
    pub(super) ebpf: Ebpf,
    /// How user stacks are walked.
    pub(super) unwinding: Unwinding,
    pub(super) caveats: Vec<Caveat>,
}

/// Loads with BTF where there is some, without where there is none or where
/// the kernel does not accept those programs. They read `counters`.
pub(super) fn load(settings: &Settings, cpus: u32, counters: &Counters) -> Result<Loaded> {
    let bytes = match &settings.object {
        Some(path) => std::fs::read(path)
            .map_err(|error| Error::io("read the kernel object", path, &error))?,
        None => object::embedded().to_vec(),
    };
    object::check(&bytes)?;
    if settings.no_btf {
        return without_btf(&bytes, settings, cpus, counters, "it was asked to");
    }
    let loaded = with_btf(&bytes, settings, cpus, counters);
    heap::give_back();
    match loaded {
        Ok(loaded) => Ok(loaded),
        Err(error) if error.kind() == ErrorKind::Permission => Err(error),
        Err(error) => without_btf(&bytes, settings, cpus, counters, &error.to_string()),
    }
}

fn with_btf(bytes: &[u8], settings: &Settings, cpus: u32, counters: &Counters) -> Result<Loaded> {
    let constants = offsets()?;
    let mut ebpf = create(bytes, settings, cpus, counters, &constants)?;
    let btf = aya::Btf::from_sys_fs().map_err(|error| refusal("read kernel types", &error))?;
    for (name, hook) in BTF_HOOKS {
        let program: &mut BtfTracePoint = program(&mut ebpf, name)?;
        program
            .load(hook, &btf)
            .map_err(|error| refusal(name, &error))?;
    }
    load_on_demand(&mut ebpf)?;
    let (unwinding, caveat) = unwinding::load(&mut ebpf, settings, None)?;
    for (name, _) in BTF_HOOKS {
        let program: &mut BtfTracePoint = program(&mut ebpf, name)?;
        program.attach().map_err(|error| refusal(name, &error))?;
    }
    Ok(Loaded {
        ebpf,
        unwinding,
        caveats: caveat.into_iter().collect(),
    })
}

/// What the kernel's type information says, some megabytes that nobody needs
/// afterwards.
fn offsets() -> Result<HashMap<&'static str, u32>> {
    let path = std::path::Path::new("/sys/kernel/btf/vmlinux");
    let data = std::fs::read(path)
        .map_err(|error| Error::io("read", path, &error).context("no kernel type information"))?;
    let fields = Btf::parse(&data).ok_or_else(|| {
        Error::new(
            ErrorKind::Unavailable,
            "the kernel's type information is malformed",
        )
    })?;
    let mut constants = HashMap::from([("STORAGE", 1)]);
    for (constant, structure, field) in FIELDS {
        let offset = fields.offset(structure, field).ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                format!("the kernel's {structure} has no field {field}"),
            )
        })?;
        constants.insert(constant, offset);
    }
    // It was called `state` before Linux 5.14 (2f064a59a11f).
    let state = fields
        .offset("task_struct", "__state")
        .or_else(|| fields.offset("task_struct", "state"));
    constants.extend(state.map(|offset| ("OFFSET_STATE", offset)));
    Ok(constants)
}

fn without_btf(
    bytes: &[u8],
    settings: &Settings,
    cpus: u32,
    counters: &Counters,
    why: &str,
) -> Result<Loaded> {
    let tracefs = tracepoint::tracefs()?;
    let mut constants = HashMap::from([("STORAGE", 0)]);
    for hook in CLASSIC_HOOKS {
        let Classic {
            category,
            tracepoint: name,
            ..
        } = hook;
        for (constant, field) in hook.fields {
            let offset = tracepoint::offset(&tracefs, category, name, field).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unavailable,
                    format!("the tracepoint {category}:{name} has no field {field} here"),
                )
            })?;
            constants.insert(constant, offset);
        }
    }
    let mut ebpf = create(bytes, settings, cpus, counters, &constants)?;
    for hook in CLASSIC_HOOKS {
        let program: &mut TracePoint = program(&mut ebpf, hook.program)?;
        program
            .load()
            .map_err(|error| refusal(hook.program, &error))?;
    }
    load_on_demand(&mut ebpf)?;
    let settings = Settings {
        unwinding: Unwinding::Pointers,
        ..settings.clone()
    };
    let unused = Some("the kernel's type information is not used");
    let (unwinding, caveat) = unwinding::load(&mut ebpf, &settings, unused)?;
    for hook in CLASSIC_HOOKS {
        let program: &mut TracePoint = program(&mut ebpf, hook.program)?;
        program
            .attach(hook.category, hook.tracepoint)
            .map_err(|error| refusal(hook.program, &error))?;
    }
    let mut caveats = vec![
        Caveat::new(
            "no-btf",
            format!(
                "the kernel's type information is not used ({why}), so kernel threads \
                 count as other processes"
            ),
        )
        .hint("a kernel with CONFIG_DEBUG_INFO_BTF=y tells them apart"),
    ];
    caveats.extend(caveat);
    Ok(Loaded {
        ebpf,
        unwinding,
        caveats,
    })
}

/// Creates the maps, fills in what is known, and reads the programs.
fn create(
    bytes: &[u8],
    settings: &Settings,
    cpus: u32,
    counters: &Counters,
    constants: &HashMap<&'static str, u32>,
) -> Result<Ebpf> {
    let slots = settings.slot_count();
    let zones = u32::try_from(settings.zone_count()).unwrap_or(u32::MAX);
    let cells = slots.saturating_mul(zones).saturating_mul(2);
    let mask = slots - 1;
    let counted = counters.mask();
    let siblings = u32::from(!settings.siblings.is_empty());
    // A thread that exits keeps its link for a moment; twice the slots is
    // plenty. With task storage the hash is not used.
    let links = if constants.get("STORAGE") == Some(&0) {
        slots * 2
    } else {
        1
    };
    let tables = constants.get("STORAGE") == Some(&1) && settings.unwinding == Unwinding::Tables;
    let sized = |entries: usize| match (tables, u32::try_from(entries)) {
        (true, Ok(entries)) => entries,
        _ => 1,
    };
    let (regions, pages, rules) = (sized(MAX_REGIONS), sized(MAX_PAGES), sized(MAX_RULES));
    let code_mask = unwinding::code_mask();
    let mut loader = EbpfLoader::new();
    loader
        .verifier_log_level(VerifierLogLevel::DISABLE)
        .allow_unsupported_maps()
        .map_max_entries("CPUS", cpus)
        .map_max_entries("SLOTS", slots)
        .map_max_entries("FREE", slots)
        .map_max_entries("CELLS", cells)
        .map_max_entries("LINKS", links)
        .map_max_entries("SAMPLES", settings.ring_bytes)
        .map_max_entries("SCRATCH", cpus)
        .map_max_entries("REGIONS", regions)
        .map_max_entries("PAGES", pages)
        .map_max_entries("RULES", rules)
        .override_global("PIECES", &unwinding::PIECES, true)
        .override_global("ARCHITECTURE", &ARCHITECTURE, true)
        .override_global("CODE_MASK", &code_mask, true)
        .override_global("SLOT_MASK", &mask, true)
        .override_global("ZONES", &zones, true)
        .override_global("COUNTED", &counted, true)
        .override_global("SIBLINGS", &siblings, true);
    for (name, value) in constants {
        loader.override_global(name, value, true);
    }
    let ebpf = loader
        .load(bytes)
        .map_err(|error| refusal("create the maps", &error))?;
    describe(&ebpf, settings, cpus, counters)?;
    Ok(ebpf)
}

/// Tells the programs, before the first hook is attached, of each CPU's zone,
/// sibling and counters.
fn describe(ebpf: &Ebpf, settings: &Settings, cpus: u32, counters: &Counters) -> Result<()> {
    for counter in counters.present() {
        let map = map_fd(ebpf, &format!("COUNTER_{}", counter as usize))?;
        counters
            .install(counter, map)
            .map_err(|error| refusal("install the counters", &error))?;
    }
    let states = Shared::<CpuState>::map(map_fd(ebpf, "CPUS")?, cpus as usize)
        .map_err(|error| refusal("map CPUS", &error))?;
    let store = |cpu: u32, offset: usize, value: u32| {
        if cpu < cpus {
            states.u32(cpu as usize, offset).store(value, Relaxed);
        }
    };
    for (zone, members) in (0..).zip(&settings.zones) {
        for &cpu in &members.cpus {
            store(cpu, offset_of!(CpuState, zone), zone);
        }
    }
    for &(cpu, sibling) in settings.siblings.iter().filter(|pair| pair.1 < cpus) {
        store(cpu, offset_of!(CpuState, sibling), sibling + 1);
    }
    Ok(())
}

/// Loads the programs that user space runs.
fn load_on_demand(ebpf: &mut Ebpf) -> Result<()> {
    for name in ["flush", "introduce"] {
        let program: &mut RawTracePoint = program(ebpf, name)?;
        program.load().map_err(|error| refusal(name, &error))?;
    }
    Ok(())
}

/// A program of the object, as the type it has.
pub(super) fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    let missing = || {
        Error::new(
            ErrorKind::Data,
            format!("the kernel object has no program {name}"),
        )
    };
    let program = ebpf.program_mut(name).ok_or_else(missing)?;
    program.try_into().map_err(|_| missing())
}

/// The file descriptor of a map.
pub(super) fn map_fd<'a>(ebpf: &'a Ebpf, name: &str) -> Result<BorrowedFd<'a>> {
    let data: Option<&MapData> = match ebpf.map(name) {
        Some(
            Map::Array(data)
            | Map::ArrayOfMaps(data)
            | Map::PerfEventArray(data)
            | Map::RingBuf(data),
        ) => Some(data),
        _ => None,
    };
    data.map(|data| data.fd().as_fd()).ok_or_else(|| {
        Error::new(
            ErrorKind::Data,
            format!("the kernel object has no map {name}"),
        )
    })
}

/// What it means that the kernel refused something.
pub(super) fn refusal(doing: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    let mut cause = Some(error);
    let mut errno = None;
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            errno = errno.or(io.raw_os_error());
        }
        cause = error.source();
    }
    if matches!(errno, Some(libc::EPERM | libc::EACCES)) && !is_root_enough() {
        return Error::new(
            ErrorKind::Permission,
            format!(
                "the kernel does not allow eprof to load its programs ({doing}: {})",
                chain(error)
            ),
        )
        .remedy(
            "run eprof with sudo, or give it the two capabilities it needs: \
             sudo setcap cap_bpf,cap_perfmon+ep \"$(command -v eprof)\"",
        );
    }
    let refused = Error::new(
        ErrorKind::Unavailable,
        format!(
            "the kernel refused eprof's programs ({doing}: {})",
            chain(error)
        ),
    );
    match KernelVersion::current() {
        Ok(version) if version < KernelVersion::new(5, 12, 0) => {
            refused.remedy("eprof needs Linux 5.12 or newer")
        }
        _ => refused.remedy("`eprof doctor` says what this kernel lacks"),
    }
}

/// Whether the capabilities CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN, which
/// includes them) are effective, so that a refusal has another cause.
fn is_root_enough() -> bool {
    const SYS_ADMIN: u32 = 21;
    const PERFMON: u32 = 38;
    const BPF: u32 = 39;
    let Ok(status) = std::fs::read_to_string("/proc/thread-self/status") else {
        return false;
    };
    let effective = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok())
        .unwrap_or(0);
    let has = |capability: u32| effective >> capability & 1 == 1;
    has(SYS_ADMIN) || (has(PERFMON) && has(BPF))
}

/// An error and its causes, each once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text.lines().next().unwrap_or_default().to_owned()
}
