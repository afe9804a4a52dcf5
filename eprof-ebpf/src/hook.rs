//! The hooks, with BTF.

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use core::ptr::{read_volatile, write_volatile};
use eprof_common::{
    Control, Outcome, Program, TaskState,
    cell::{MIGRATIONS, SWITCHES, WAKEUPS},
    cpu::IDLE,
};

use crate::{
    account::{self, NOTHING},
    follow::{self, Owner},
    map::{self, Here},
    sibling,
    task::TaskPointer,
    task_instance::{self, Creation},
};

/// `sched_switch(bool preempt, struct task_struct *prev, struct task_struct
/// *next, …)`; interrupts are off.
#[btf_tracepoint(function = "sched_switch")]
pub fn switch_btf(ctx: BtfTracePointContext) -> i32 {
    let (Some(here), Some(control)) = (map::here(), map::control()) else {
        return 0;
    };
    let preempted: bool = ctx.arg::<u64>(0) & 0xff != 0;
    let (prev, next) = (TaskPointer(ctx.arg(1)), TaskPointer(ctx.arg(2)));
    map::ran(here.cpu, Program::SWITCH);
    let mut ending = NOTHING;
    ending[SWITCHES] = 1;
    let owner = if prev.tid() == 0 {
        Owner::IDLE
    } else {
        if !preempted && prev.falls_asleep() {
            ending[WAKEUPS] = 1;
        }
        // Kernel threads have no task state: no need to look for one.
        let is_kernel = prev.is_kernel();
        let state = if is_kernel {
            None
        } else {
            follow::stored(prev)
        };
        if let Some(state) = state {
            ending[MIGRATIONS] = arrival(state, here.number);
        }
        Owner::of(state, is_kernel, prev.tgid(), control)
    };
    let now = account::close(here, control, owner, ending);
    switched(here, owner, next.tid(), now);
    0
}

/// One if the thread has run on another CPU than this one the last time.
/// From now on it has run here.
#[inline(always)]
pub fn arrival(state: *mut TaskState, number: u32) -> u32 {
    // SAFETY: the state lives as long as its task, which is running here.
    unsafe {
        let (before, here) = ((*state).cpu, number + 1);
        if before == here {
            return 0;
        }
        (*state).cpu = here;
        u32::from(before != 0)
    }
}

/// Notes who runs on this CPU from `now` on.
#[inline(always)]
pub fn switched(here: Here, from: Owner, tid: u32, now: u64) {
    if from.class == IDLE {
        sibling::busy(here.cpu, now);
    } else if tid == 0 {
        sibling::idle(here.cpu, now);
    }
    // SAFETY: `cpu` is an element of CPUS. The thread is stored after the
    // accounts: who sees the idle task here need not wait for them.
    unsafe {
        (*here.cpu).sampled_at = 0;
        write_volatile(&raw mut (*here.cpu).running, tid);
    }
}

/// `task_newtask(struct task_struct *task, …)`: every new task, those that
/// `sched_process_fork` does not see (io_uring workers) included. The current
/// task is the parent.
#[btf_tracepoint(function = "task_newtask")]
pub fn created_btf(ctx: BtfTracePointContext) -> i32 {
    let child = TaskPointer(ctx.arg(0));
    let Some(control) = map::control() else {
        return 0;
    };
    let state = follow::stored(follow::current());
    let Some(parent) = parent_serial(state, control) else {
        return 0;
    };
    // SAFETY: `control` is the entry of CONTROL.
    let level = unsafe { read_volatile(&raw const (*control).pid_level) };
    let (tid, tgid) = child.ids(level);
    let mut state = task_instance::begin(
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
    if !follow::store(child, &mut state) {
        abandon(&state);
    }
    0
}

/// `sched_process_exec(struct task_struct *p, pid_t old_pid, …)`
#[btf_tracepoint(function = "sched_process_exec")]
pub fn exec_btf(_: BtfTracePointContext) -> i32 {
    if let Some(state) = follow::stored(follow::current()) {
        rotate(state);
    }
    0
}

/// `sched_process_exit(struct task_struct *p, …)`
#[btf_tracepoint(function = "sched_process_exit")]
pub fn exit_btf(_: BtfTracePointContext) -> i32 {
    if let Some(state) = follow::stored(follow::current()) {
        end(state, Program::EXIT, false);
    }
    0
}

/// `sched_process_free(struct task_struct *p)`: after the last switch.
#[btf_tracepoint(function = "sched_process_free")]
pub fn free_btf(ctx: BtfTracePointContext) -> i32 {
    if let Some(state) = follow::stored(TaskPointer(ctx.arg(0))) {
        end(state, Program::FREE, true);
    }
    0
}

/// `task_rename(struct task_struct *task, const char *comm)`
#[btf_tracepoint(function = "task_rename")]
pub fn rename_btf(ctx: BtfTracePointContext) -> i32 {
    if let Some(state) = follow::stored(TaskPointer(ctx.arg(0))) {
        rename(state, ctx.arg::<*const u8>(1));
    }
    0
}

/// Run by user space on a CPU, by interrupt: closes the slice in progress.
#[raw_tracepoint(tracepoint = "sched_switch")]
pub fn flush(_: RawTracePointContext) -> i32 {
    let (Some(here), Some(control)) = (map::here(), map::control()) else {
        return 0;
    };
    let cpu = here.cpu;
    // SAFETY: `cpu` is an element of CPUS.
    if unsafe { read_volatile(&raw const (*cpu).busy) } != 0 {
        return 0;
    }
    map::ran(cpu, Program::FLUSH);
    let identity = bpf_get_current_pid_tgid();
    let owner = if identity as u32 == 0 {
        Owner::IDLE
    } else {
        let is_kernel = map::STORAGE.load() != 0 && follow::current().is_kernel();
        Owner::of(
            follow::current_state(),
            is_kernel,
            (identity >> 32) as u32,
            control,
        )
    };
    // SAFETY: both are elements of maps. The epoch is read before the clock
    // is: what is closed reaches at least up to its boundary.
    unsafe {
        let epoch = read_volatile(&raw const (*control).epoch);
        // The slice ends, but the thread runs on: what its next sample stands
        // for began before.
        if (*cpu).sampled_at == 0 {
            (*cpu).sampled = (*cpu).counts;
            (*cpu).sampled_at = (*cpu).start;
        }
        let now = account::close(here, control, owner, NOTHING);
        if owner.class == IDLE {
            sibling::idle(cpu, now);
        }
        write_volatile(&raw mut (*cpu).running, identity as u32);
        write_volatile(&raw mut (*cpu).flushed, epoch);
    }
    0
}

/// Run by user space in its own context: how it is called in the initial PID
/// namespace, wherever it lives itself, and in which one that is.
#[raw_tracepoint(tracepoint = "sched_switch")]
pub fn introduce(_: RawTracePointContext) -> i32 {
    if let Some(control) = map::control() {
        let identity = bpf_get_current_pid_tgid();
        let level = if map::STORAGE.load() != 0 {
            follow::current().level()
        } else {
            0
        };
        // SAFETY: `control` is the entry of CONTROL.
        unsafe {
            write_volatile(&raw mut (*control).pid_level, level);
            write_volatile(&raw mut (*control).eprof_tgid, (identity >> 32) as u32);
            write_volatile(&raw mut (*control).caller_tid, identity as u32);
        }
    }
    0
}

/// The serial of the new task's parent, if the new task is of the target.
#[inline(always)]
pub fn parent_serial(state: Option<*mut TaskState>, control: *mut Control) -> Option<u64> {
    let parent = match state {
        // SAFETY: the state lives as long as its task, which is running.
        Some(state) => unsafe { (*state).serial },
        None => {
            // SAFETY: `control` is the entry of CONTROL.
            let adopt = unsafe { read_volatile(&raw const (*control).adopt) };
            if adopt == 0 || adopt != bpf_get_current_pid_tgid() as u32 {
                return None;
            }
            0
        }
    };
    if let Some(cpu) = map::this_cpu() {
        map::ran(cpu, Program::CREATED);
    }
    Some(parent)
}

/// The thread got a slot, but its task state could not be stored: it cannot be
/// followed.
#[inline(always)]
pub fn abandon(state: &TaskState) {
    map::lost(Outcome::TASK_STATE_FAILED);
    if let Some(slot) = task_instance::slot_of(state) {
        task_instance::end(slot, true);
    }
}

/// The current thread exec'ed: what it did so far belongs to the old task instance,
/// and a new one begins.
#[inline(always)]
pub fn rotate(state: *mut TaskState) {
    let (Some(here), Some(control)) = (map::here(), map::control()) else {
        return;
    };
    map::ran(here.cpu, Program::EXEC);
    // SAFETY: the state lives as long as its task, which is running.
    let old = unsafe { *state };
    account::close_guarded(here, control, Owner::of(Some(state), false, 0, control));
    let identity = bpf_get_current_pid_tgid();
    let mut creation = Creation {
        parent: old.serial,
        started: 0,
        tid: identity as u32,
        tgid: (identity >> 32) as u32,
        generation: 1,
        space: 0,
    };
    if let Some(slot) = task_instance::slot_of(&old) {
        task_instance::unrename(slot);
        task_instance::end(slot, true);
        // SAFETY: `slot` is an element of SLOTS.
        unsafe {
            // An exec makes its thread the leader; as it is called already.
            creation.tid = (*slot).tgid;
            creation.tgid = (*slot).tgid;
            creation.started = (*slot).started;
            creation.generation = (*slot).generation.wrapping_add(1);
        }
    }
    let new = task_instance::begin(control, creation);
    // SAFETY: as above. A sample that comes between the two stores is still
    // taken for the old task instance.
    unsafe {
        write_volatile(&raw mut (*state).slot, new.slot);
        write_volatile(&raw mut (*state).serial, new.serial);
    }
}

/// Notes the end of a thread.
#[inline(always)]
pub fn end(state: *mut TaskState, program: Program, freed: bool) {
    if let Some(cpu) = map::this_cpu() {
        map::ran(cpu, program);
    }
    // SAFETY: the state lives at least as long as its task.
    if let Some(slot) = task_instance::slot_of(unsafe { &*state }) {
        task_instance::end(slot, freed);
    }
}

/// Notes a new name.
#[inline(always)]
pub fn rename(state: *mut TaskState, comm: *const u8) {
    if let Some(cpu) = map::this_cpu() {
        map::ran(cpu, Program::RENAME);
    }
    // SAFETY: the state lives at least as long as its task.
    if let Some(slot) = task_instance::slot_of(unsafe { &*state }) {
        task_instance::rename(slot, comm);
    }
}
