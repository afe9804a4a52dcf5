//! Loading the object and attaching its hooks.

use std::collections::HashMap;
use std::mem::offset_of;
use std::sync::atomic::Ordering::Relaxed;

use eprof_common::CpuState;
use eprof_common::table::{MAX_PAGES, MAX_REGIONS, MAX_RULES};

use tracing::debug;

use super::kernel_types::{Hook, KernelTypes};
use super::link::{Linked, Wanted};
use super::{object, tracepoint};
use crate::caveat::Caveat;
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::accounts::shared::Shared;
use crate::kernel::counters::pmu::Counters;
use crate::kernel::refusal::{in_one_line, refusal};
use crate::kernel::settings::{Settings, Unwinding};
use crate::kernel::unwind_maps::mode;

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
        program: "created_classic",
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

/// Whose registers the sampling programs see: zero for x86-64, one for AArch64.
const ARCHITECTURE: u32 = cfg!(target_arch = "aarch64") as u32;

/// A loaded and attached object.
pub(in crate::kernel) struct Loaded {
    pub(in crate::kernel) linked: Linked,
    /// How user stacks are walked.
    pub(in crate::kernel) unwinding: Unwinding,
    pub(in crate::kernel) caveats: Vec<Caveat>,
}

/// Loads with BTF where there is some, without where there is none or where
/// the kernel does not accept those programs. They read `counters`.
pub(in crate::kernel) fn load(
    settings: &Settings,
    cpus: u32,
    counters: &Counters,
) -> Result<Loaded> {
    let bytes = match &settings.object {
        Some(path) => std::fs::read(path)
            .map_err(|error| Error::io("read the kernel object", path, &error))?,
        None => object::embedded().to_vec(),
    };
    object::check(&bytes)?;
    if settings.no_btf {
        return without_btf(&bytes, settings, cpus, counters, "it was asked to");
    }
    match with_btf(&bytes, settings, cpus, counters) {
        Ok(loaded) => Ok(loaded),
        // What the other way would be refused as well.
        Err(error) if matches!(error.kind(), ErrorKind::Permission | ErrorKind::Internal) => {
            Err(error)
        }
        Err(error) => {
            let why = in_one_line(&error);
            debug!(why, "programs with type information are refused");
            let classic = without_btf(&bytes, settings, cpus, counters, &why);
            // The other way is only tried: what was wrong here is told, too.
            classic.map_err(|other| match in_one_line(&other) {
                same if same == why => error,
                first => {
                    let hint = other.given_hint().map(str::to_owned);
                    let both =
                        error.context(format!("{first}; with the kernel's type information"));
                    match (both.given_hint(), hint) {
                        (None, Some(hint)) => both.hint(hint),
                        _ => both,
                    }
                }
            })
        }
    }
}

fn with_btf(bytes: &[u8], settings: &Settings, cpus: u32, counters: &Counters) -> Result<Loaded> {
    let KernelTypes { offsets, hooks } = KernelTypes::read()?;
    let mut constants = offsets;
    constants.insert("STORAGE", 1);
    let mut linked = create(bytes, settings, cpus, counters, &constants)?;
    for Hook { program, number } in hooks {
        linked.load(program, number)?;
    }
    load_on_demand(&mut linked)?;
    let (unwinding, caveat) = mode::load(&mut linked, settings, None)?;
    for Hook { program, .. } in hooks {
        let attached = linked.program_mut(program)?.attach();
        debug!(program, attached = attached.is_ok(), "attached a program");
        attached.map_err(|error| refusal(program, &error))?;
    }
    Ok(Loaded {
        linked,
        unwinding,
        caveats: caveat.into_iter().collect(),
    })
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
    let mut linked = create(bytes, settings, cpus, counters, &constants)?;
    for hook in CLASSIC_HOOKS {
        linked.load(hook.program, 0)?;
    }
    load_on_demand(&mut linked)?;
    let settings = Settings {
        unwinding: Unwinding::Pointers,
        ..settings.clone()
    };
    let unused = Some("the kernel's type information is not used");
    let (unwinding, caveat) = mode::load(&mut linked, &settings, unused)?;
    for hook in CLASSIC_HOOKS {
        let number = tracepoint::number(&tracefs, hook.category, hook.tracepoint);
        let number = number.ok_or_else(|| {
            let Classic {
                category,
                tracepoint,
                ..
            } = hook;
            let sentence = format!("there is no tracepoint {category}:{tracepoint} here");
            Error::new(ErrorKind::Unavailable, sentence)
        })?;
        let attached = linked.program_mut(hook.program)?.attach_to(number);
        debug!(
            program = hook.program,
            attached = attached.is_ok(),
            "attached a program"
        );
        attached.map_err(|error| refusal(hook.program, &error))?;
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
        linked,
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
) -> Result<Linked> {
    let slots = settings.slot_count();
    let groups = u32::try_from(settings.group_count()).unwrap_or(u32::MAX);
    let cells = slots.saturating_mul(groups).saturating_mul(2);
    let mask = slots - 1;
    let counted = counters.mask();
    let siblings = u32::from(!settings.siblings.is_empty());
    // A thread that exits keeps its task state for a moment; twice the slots is
    // plenty. With task storage the hash is not used.
    let states = if constants.get("STORAGE") == Some(&0) {
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
    let constants = constants.iter();
    let mut constants: HashMap<&str, Vec<u8>> = constants
        .map(|(name, value)| (*name, value.to_ne_bytes().to_vec()))
        .collect();
    for (name, value) in [
        ("PIECES", mode::PIECES),
        ("ARCHITECTURE", ARCHITECTURE),
        ("SLOT_MASK", mask),
        ("GROUPS", groups),
        ("COUNTED", counted),
        ("SIBLINGS", siblings),
    ] {
        constants.insert(name, value.to_ne_bytes().to_vec());
    }
    let code_mask = mode::code_mask().to_ne_bytes();
    constants.insert("CODE_MASK", code_mask.to_vec());
    let entries = HashMap::from([
        ("CPUS", cpus),
        ("SLOTS", slots),
        ("FREE", slots),
        ("CELLS", cells),
        ("TASK_STATES", states),
        ("SAMPLES", settings.ring_bytes),
        ("SCRATCH", cpus),
        ("REGIONS", regions),
        ("PAGES", pages),
        ("RULES", rules),
    ]);
    let linked = Linked::new(
        bytes,
        &Wanted { entries, constants },
        cpus,
        settings.verifier_log.clone(),
    )?;
    describe(&linked, settings, cpus, counters)?;
    Ok(linked)
}

/// Tells the programs, before the first hook is attached, each CPU's group, sibling and
/// counters.
fn describe(linked: &Linked, settings: &Settings, cpus: u32, counters: &Counters) -> Result<()> {
    for counter in counters.present() {
        let map = linked.map(&format!("COUNTER_{}", counter as usize))?;
        counters
            .install(counter, map)
            .map_err(|error| refusal("install the counters", &error))?;
    }
    let states = Shared::<CpuState>::map(linked.map("CPUS")?, cpus as usize)
        .map_err(|error| refusal("map CPUS", &error))?;
    let store = |cpu: u32, offset: usize, value: u32| {
        if cpu < cpus {
            states.u32(cpu as usize, offset).store(value, Relaxed);
        }
    };
    for (number, group) in (0..).zip(&settings.groups) {
        for &cpu in &group.cpus {
            store(cpu, offset_of!(CpuState, group), number);
        }
    }
    for &(cpu, sibling) in settings.siblings.iter().filter(|pair| pair.1 < cpus) {
        store(cpu, offset_of!(CpuState, sibling), sibling + 1);
    }
    Ok(())
}

/// Loads the programs that user space runs.
fn load_on_demand(linked: &mut Linked) -> Result<()> {
    for name in ["flush", "introduce"] {
        linked.load(name, 0)?;
    }
    Ok(())
}
