//! The hooks, without BTF: the records of the tracepoints, at offsets that user
//! space found in tracefs (`events/*/*/format`; they do change, e.g. with
//! names that became variable-length). Kernel threads cannot be told from
//! other processes here.

use aya_ebpf::{
    EbpfContext, Global, helpers::bpf_get_current_pid_tgid, macros::tracepoint,
    programs::TracePointContext,
};
use eprof_common::{
    Program,
    cell::{MIGRATIONS, SWITCHES, WAKEUPS},
};

use crate::{
    account::{self, NOTHING},
    follow::{self, Owner},
    hook, map,
    task_instance::{self, Creation},
};

/// `CLONE_THREAD` of `include/uapi/linux/sched.h`.
const CLONE_THREAD: u64 = 0x0001_0000;

/// `EXIT_DEAD` and `EXIT_ZOMBIE` of `include/linux/sched.h`: what the record
/// of a switch says of a thread that leaves its CPU for good. (One that is
/// preempted has another state, however far its exit has come.)
const ENDED: u64 = 0x10 | 0x20;

/// All states that the record of a switch tells apart from running: those of
/// `TASK_REPORT`, and idle (`include/linux/sched.h`). A thread that is
/// preempted has none of them, but the bit above (`TASK_REPORT_MAX`).
const ASLEEP: u64 = 0xff;

/// Offset of `next_pid` in `sched:sched_switch`.
#[unsafe(no_mangle)]
static SWITCH_NEXT_PID: Global<u32> = Global::new(0);
/// Offset of `pid` in `task:task_newtask`.
#[unsafe(no_mangle)]
static NEWTASK_PID: Global<u32> = Global::new(0);
/// Offset of `clone_flags` in `task:task_newtask`.
#[unsafe(no_mangle)]
static NEWTASK_CLONE_FLAGS: Global<u32> = Global::new(0);
/// Offset of `old_pid` in `sched:sched_process_exec`.
#[unsafe(no_mangle)]
static EXEC_OLD_PID: Global<u32> = Global::new(0);
/// Offset of `prev_state` in `sched:sched_switch`.
#[unsafe(no_mangle)]
static SWITCH_PREV_STATE: Global<u32> = Global::new(0);
/// Offset of `pid` in `task:task_rename`.
#[unsafe(no_mangle)]
static RENAME_PID: Global<u32> = Global::new(0);
/// Offset of `newcomm` in `task:task_rename`.
#[unsafe(no_mangle)]
static RENAME_NEWCOMM: Global<u32> = Global::new(0);

/// A field of the record; zero where it cannot be read.
#[inline(always)]
fn field<T: Copy + Default>(ctx: &TracePointContext, offset: &Global<u32>) -> T {
    // SAFETY: the helper behind it checks the address.
    unsafe { ctx.read_at(offset.load() as usize) }.unwrap_or_default()
}

#[tracepoint(category = "sched", name = "sched_switch")]
pub fn switch_classic(ctx: TracePointContext) -> u32 {
    let (Some(here), Some(control)) = (map::here(), map::control()) else {
        return 0;
    };
    map::ran(here.cpu, Program::SWITCH);
    let identity = bpf_get_current_pid_tgid();
    let tid = identity as u32;
    let state = if tid == 0 { None } else { follow::listed(tid) };
    let owner = if tid == 0 {
        Owner::IDLE
    } else {
        Owner::of(state, false, (identity >> 32) as u32, control)
    };
    let prev_state: u64 = field(&ctx, &SWITCH_PREV_STATE);
    let ended = prev_state & ENDED != 0;
    let mut ending = NOTHING;
    ending[SWITCHES] = 1;
    ending[WAKEUPS] = u32::from(!ended && prev_state & ASLEEP != 0);
    if let Some(state) = state {
        ending[MIGRATIONS] = hook::arrival(state, here.number);
    }
    let now = account::close(here, control, owner, ending);
    if let Some(state) = state {
        // `sched_process_free` would say the same later, but runs where it
        // may interrupt another of these programs, and is then skipped.
        if ended {
            hook::end(state, Program::FREE, true);
            follow::unlist(tid);
        }
    }
    hook::switched(here, owner, field(&ctx, &SWITCH_NEXT_PID), now);
    0
}

#[tracepoint(category = "task", name = "task_newtask")]
pub fn created_classic(ctx: TracePointContext) -> u32 {
    let tid: u32 = field(&ctx, &NEWTASK_PID);
    let flags: u64 = field(&ctx, &NEWTASK_CLONE_FLAGS);
    let Some(control) = map::control() else {
        return 0;
    };
    let current = bpf_get_current_pid_tgid();
    let state = follow::listed(current as u32);
    let Some(parent) = hook::parent_serial(state, control) else {
        // A stranger may be given the id of a thread whose end was missed.
        if follow::listed(tid).is_some() {
            follow::unlist(tid);
        }
        return 0;
    };
    let tgid = if flags & CLONE_THREAD != 0 {
        (current >> 32) as u32
    } else {
        tid
    };
    let state = task_instance::begin(
        control,
        Creation {
            parent,
            started: 0,
            tid,
            tgid,
            generation: 0,
            space: task_instance::space_of(state),
        },
    );
    if !follow::list(tid, &state) {
        hook::abandon(&state);
    }
    0
}

/// A thread that execs takes the id of its group's leader.
#[tracepoint(category = "sched", name = "sched_process_exec")]
pub fn exec_classic(ctx: TracePointContext) -> u32 {
    let old_tid: u32 = field(&ctx, &EXEC_OLD_PID);
    let tid = bpf_get_current_pid_tgid() as u32;
    let Some(state) = follow::listed(old_tid) else {
        return 0;
    };
    if old_tid != tid {
        if let Some(leader) = follow::listed(tid) {
            // SAFETY: the entry is in the map while this program runs.
            if let Some(slot) = task_instance::slot_of(unsafe { &*leader }) {
                task_instance::end(slot, true);
            }
        }
        // SAFETY: as above.
        let moved = unsafe { *state };
        follow::unlist(old_tid);
        if !follow::list(tid, &moved) {
            hook::abandon(&moved);
            return 0;
        }
    }
    if let Some(state) = follow::listed(tid) {
        hook::rotate(state);
    }
    0
}

#[tracepoint(category = "sched", name = "sched_process_exit")]
pub fn exit_classic(_: TracePointContext) -> u32 {
    if let Some(state) = follow::listed(bpf_get_current_pid_tgid() as u32) {
        hook::end(state, Program::EXIT, false);
    }
    0
}

#[tracepoint(category = "task", name = "task_rename")]
pub fn rename_classic(ctx: TracePointContext) -> u32 {
    let tid: u32 = field(&ctx, &RENAME_PID);
    if let Some(state) = follow::listed(tid) {
        // SAFETY: the offset is within the record.
        let comm = unsafe {
            ctx.as_ptr()
                .cast::<u8>()
                .add(RENAME_NEWCOMM.load() as usize)
        };
        hook::rename(state, comm);
    }
    0
}
