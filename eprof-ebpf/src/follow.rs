//! Who is in the target: a thread that has a task state.

use aya_ebpf::{
    bindings::{BPF_LOCAL_STORAGE_GET_F_CREATE, task_struct},
    helpers::{
        bpf_get_current_pid_tgid, bpf_get_current_task_btf,
        generated::{
            bpf_map_delete_elem, bpf_map_lookup_elem, bpf_map_update_elem, bpf_task_storage_get,
        },
    },
    macros::btf_map,
};
use core::ffi::c_void;
use eprof_common::{
    Control, TaskState,
    cpu::{EPROF, IDLE, KERNEL, OTHER, TARGET},
};

use crate::{map, task::TaskPointer};

/// A map of `BPF_MAP_TYPE_TASK_STORAGE` (29 in `include/uapi/linux/bpf.h`) as
/// the loader wants it described.
#[repr(C)]
struct TaskStorage<T> {
    r#type: *const [i32; 29],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; 1],
}

// SAFETY: the pointers only describe types; nobody follows them.
unsafe impl<T> Sync for TaskStorage<T> {}

/// The task states of the target's threads. The kernel frees each with its thread.
#[btf_map]
static THREADS: TaskStorage<TaskState> = TaskStorage {
    r#type: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
    max_entries: core::ptr::null(),
    map_flags: core::ptr::null(),
};

/// The task state that is in a task's storage.
#[inline(always)]
pub fn stored(task: TaskPointer) -> Option<*mut TaskState> {
    // SAFETY: the helper takes any trusted task and gives its value or null.
    let state = unsafe {
        bpf_task_storage_get(
            (&raw const THREADS).cast_mut().cast(),
            task.0.cast::<task_struct>(),
            core::ptr::null_mut(),
            0,
        )
    };
    (!state.is_null()).then_some(state.cast())
}

/// Stores a task state with a task.
#[inline(always)]
pub fn store(task: TaskPointer, state: &mut TaskState) -> bool {
    // SAFETY: as in `stored`; the value is copied.
    let stored = unsafe {
        bpf_task_storage_get(
            (&raw const THREADS).cast_mut().cast(),
            task.0.cast::<task_struct>(),
            (state as *mut TaskState).cast(),
            u64::from(BPF_LOCAL_STORAGE_GET_F_CREATE),
        )
    };
    !stored.is_null()
}

#[inline(always)]
fn states() -> *mut c_void {
    (&raw const map::TASK_STATES).cast_mut().cast()
}

/// The task state of a thread id in the hash.
#[inline(always)]
pub fn listed(tid: u32) -> Option<*mut TaskState> {
    // SAFETY: key and map are of the type that the map was made for.
    let state = unsafe { bpf_map_lookup_elem(states(), (&raw const tid).cast_mut().cast()) };
    (!state.is_null()).then_some(state.cast())
}

/// Stores a task state under a thread id.
#[inline(always)]
pub fn list(tid: u32, state: &TaskState) -> bool {
    // SAFETY: key, value and map are of the types that the map was made for.
    unsafe {
        bpf_map_update_elem(
            states(),
            (&raw const tid).cast_mut().cast(),
            (state as *const TaskState).cast_mut().cast(),
            0,
        ) == 0
    }
}

/// Removes the task state of a thread id.
#[inline(always)]
pub fn unlist(tid: u32) {
    // SAFETY: as in `listed`.
    unsafe { bpf_map_delete_elem(states(), (&raw const tid).cast_mut().cast()) };
}

/// The running task.
#[inline(always)]
pub fn current() -> TaskPointer {
    // SAFETY: takes nothing, has no side effects.
    TaskPointer(unsafe { bpf_get_current_task_btf() }.cast())
}

/// The task state of the running task, from wherever it is kept.
#[inline(always)]
pub fn current_state() -> Option<*mut TaskState> {
    if map::STORAGE.load() != 0 {
        stored(current())
    } else {
        listed(bpf_get_current_pid_tgid() as u32)
    }
}

/// Who is charged for a slice.
#[derive(Clone, Copy)]
pub struct Owner {
    /// A class of [`eprof_common::cpu`].
    pub class: usize,
    /// The slot, for the target.
    pub slot: u32,
}

impl Owner {
    /// The idle task.
    pub const IDLE: Self = Self {
        class: IDLE,
        slot: TaskState::NO_SLOT,
    };

    /// Whoever has this task state; without one, whoever these facts say.
    #[inline(always)]
    pub fn of(
        state: Option<*mut TaskState>,
        is_kernel: bool,
        tgid: u32,
        control: *mut Control,
    ) -> Self {
        if let Some(state) = state {
            return Self {
                class: TARGET,
                // SAFETY: the state lives as long as the task, which is running.
                slot: unsafe { (*state).slot },
            };
        }
        // SAFETY: `control` is the entry of CONTROL.
        let eprof = unsafe { (*control).eprof_tgid };
        let class = if is_kernel {
            KERNEL
        } else if tgid == eprof {
            EPROF
        } else {
            OTHER
        };
        Self {
            class,
            slot: TaskState::NO_SLOT,
        }
    }
}
