//! Who is in the target: a thread that has a link.

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
    Control, Link,
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

/// The links of the target's threads; the kernel frees them with the thread.
#[btf_map]
static THREADS: TaskStorage<Link> = TaskStorage {
    r#type: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
    max_entries: core::ptr::null(),
    map_flags: core::ptr::null(),
};

/// The link of a task in task storage.
#[inline(always)]
pub fn stored(task: TaskPointer) -> Option<*mut Link> {
    // SAFETY: the helper takes any trusted task and gives its value or null.
    let link = unsafe {
        bpf_task_storage_get(
            (&raw const THREADS).cast_mut().cast(),
            task.0.cast::<task_struct>(),
            core::ptr::null_mut(),
            0,
        )
    };
    (!link.is_null()).then_some(link.cast())
}

/// Gives a task a link in task storage.
#[inline(always)]
pub fn store(task: TaskPointer, link: &mut Link) -> bool {
    // SAFETY: as in `stored`; the value is copied.
    let stored = unsafe {
        bpf_task_storage_get(
            (&raw const THREADS).cast_mut().cast(),
            task.0.cast::<task_struct>(),
            (link as *mut Link).cast(),
            u64::from(BPF_LOCAL_STORAGE_GET_F_CREATE),
        )
    };
    !stored.is_null()
}

#[inline(always)]
fn links() -> *mut c_void {
    (&raw const map::LINKS).cast_mut().cast()
}

/// The link of a thread id in the hash.
#[inline(always)]
pub fn listed(tid: u32) -> Option<*mut Link> {
    // SAFETY: key and map are of the type that the map was made for.
    let link = unsafe { bpf_map_lookup_elem(links(), (&raw const tid).cast_mut().cast()) };
    (!link.is_null()).then_some(link.cast())
}

/// Gives a thread id a link in the hash.
#[inline(always)]
pub fn list(tid: u32, link: &Link) -> bool {
    // SAFETY: key, value and map are of the types that the map was made for.
    unsafe {
        bpf_map_update_elem(
            links(),
            (&raw const tid).cast_mut().cast(),
            (link as *const Link).cast_mut().cast(),
            0,
        ) == 0
    }
}

/// Takes a thread id's link away.
#[inline(always)]
pub fn unlist(tid: u32) {
    // SAFETY: as in `listed`.
    unsafe { bpf_map_delete_elem(links(), (&raw const tid).cast_mut().cast()) };
}

/// The running task.
#[inline(always)]
pub fn current() -> TaskPointer {
    // SAFETY: takes nothing, has no side effects.
    TaskPointer(unsafe { bpf_get_current_task_btf() }.cast())
}

/// The link of the running task, by either means.
#[inline(always)]
pub fn current_link() -> Option<*mut Link> {
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
        slot: Link::NO_SLOT,
    };

    /// Whoever has this link; without one, whoever these facts say.
    #[inline(always)]
    pub fn of(link: Option<*mut Link>, is_kernel: bool, tgid: u32, control: *mut Control) -> Self {
        if let Some(link) = link {
            return Self {
                class: TARGET,
                // SAFETY: the link lives as long as the task, which is running.
                slot: unsafe { (*link).slot },
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
            slot: Link::NO_SLOT,
        }
    }
}
