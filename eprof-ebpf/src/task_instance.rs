//! Task instances: a slot is taken, filled, and ended.

use aya_ebpf::helpers::{bpf_get_current_comm, generated::bpf_probe_read_kernel_str};
use core::ptr::{read_volatile, write_volatile};
use eprof_common::{Control, Outcome, Slot, TaskState, slot::EMPTY};

use crate::{account, map};

/// What is known of a new task instance.
pub struct Creation {
    /// Serial of the task instance it comes from; zero for the root.
    pub parent: u64,
    /// When the thread was forked; zero for now.
    pub started: u64,
    /// Thread id.
    pub tid: u32,
    /// Thread group id.
    pub tgid: u32,
    /// Execs before it.
    pub generation: u32,
    /// What is mapped in its process, see [`Slot::space`].
    pub space: u64,
}

/// The task state of a thread that got no slot.
const NONE: TaskState = TaskState {
    serial: 0,
    slot: TaskState::NO_SLOT,
    cpu: 0,
};

/// Adds atomically and gives the value before. (`core` has no atomics with a
/// result for this target, the instruction set has had them since Linux 5.12.)
///
/// # Safety
/// `at` is valid and aligned.
#[inline(always)]
unsafe fn fetch_add(at: *mut u64, value: u64) -> u64 {
    let mut value = value;
    // SAFETY: by the caller.
    unsafe {
        core::arch::asm!(
            "{value} = atomic_fetch_add((u64 *)({at} + 0), {value})",
            at = in(reg) at,
            value = inout(reg) value,
        );
    }
    value
}

/// Exchanges atomically and gives the value before; a full barrier.
///
/// # Safety
/// `at` is valid and aligned.
#[inline(always)]
unsafe fn exchange(at: *mut u64, value: u64) -> u64 {
    let mut value = value;
    // SAFETY: by the caller.
    unsafe {
        core::arch::asm!(
            "{value} = xchg_64({at} + 0, {value})",
            at = in(reg) at,
            value = inout(reg) value,
        );
    }
    value
}

/// Takes the next free slot and fills it; its name is the current task's (a
/// child inherits its parent's).
#[inline(always)]
pub fn begin(control: *mut Control, creation: Creation) -> TaskState {
    // SAFETY: `control` is the entry of CONTROL.
    let ticket = unsafe { fetch_add(&raw mut (*control).ticket, 1) };
    let Some(entry) = map::FREE.get_ptr_mut(ticket as u32 & map::SLOT_MASK.load()) else {
        return NONE;
    };
    // SAFETY: `entry` is an element of FREE.
    let index = unsafe { exchange(entry, EMPTY) };
    let slot = if index == EMPTY {
        None
    } else {
        map::SLOTS.get_ptr_mut(index as u32)
    };
    let Some(slot) = slot else {
        map::lost(Outcome::SLOTS_FULL);
        return NONE;
    };
    let now = account::now();
    let serial = ticket + 1;
    // SAFETY: `slot` is an element of SLOTS, and by taking its number out of
    // the ring this program became its only writer.
    unsafe {
        (*slot).parent = creation.parent;
        (*slot).started = if creation.started == 0 {
            now
        } else {
            creation.started
        };
        (*slot).created = now;
        (*slot).gone = 0;
        (*slot).freed = 0;
        (*slot).renamed = 0;
        (*slot).tid = creation.tid;
        (*slot).tgid = creation.tgid;
        (*slot).generation = creation.generation;
        (*slot).version = 0;
        write_volatile(&raw mut (*slot).space, creation.space);
        (*slot).comm = bpf_get_current_comm().unwrap_or_default();
        exchange(&raw mut (*slot).serial, serial);
    }
    TaskState {
        serial,
        slot: index as u32,
        cpu: 0,
    }
}

/// The slot that a task state names.
#[inline(always)]
pub fn slot_of(state: &TaskState) -> Option<*mut Slot> {
    map::SLOTS.get_ptr_mut(state.slot)
}

/// What is mapped in the process of the thread that has this task state.
#[inline(always)]
pub fn space_of(state: Option<*mut TaskState>) -> u64 {
    // SAFETY: the state lives as long as its task, which is running.
    let slot = state.and_then(|state| slot_of(unsafe { &*state }));
    // SAFETY: `slot` is an element of SLOTS.
    slot.map_or(0, |slot| unsafe { read_volatile(&raw const (*slot).space) })
}

/// Notes that a task instance has ended; `freed` says that it will never run again.
#[inline(always)]
pub fn end(slot: *mut Slot, freed: bool) {
    let now = account::now();
    // SAFETY: `slot` is an element of SLOTS.
    unsafe {
        if read_volatile(&raw const (*slot).gone) == 0 {
            write_volatile(&raw mut (*slot).gone, now);
        }
        if freed {
            write_volatile(&raw mut (*slot).freed, now);
        }
    }
}

/// Changes a name. `comm` is a kernel address, which need not be valid.
#[inline(always)]
pub fn rename(slot: *mut Slot, comm: *const u8) {
    let mut name = [0u8; 16];
    // SAFETY: the helper checks the address; the buffer is as large as said.
    unsafe {
        bpf_probe_read_kernel_str(
            name.as_mut_ptr().cast(),
            name.len() as u32,
            comm.cast_mut().cast(),
        );
        let old = (*slot).comm;
        write_name(slot, old, name);
        write_volatile(&raw mut (*slot).renamed, account::now());
    }
}

/// Takes the last renaming back: an exec renames the thread just before the
/// exec hook runs, and that name belongs to the next task instance.
#[inline(always)]
pub fn unrename(slot: *mut Slot) {
    // SAFETY: `slot` is an element of SLOTS.
    unsafe {
        if (*slot).version != 0 {
            let old = (*slot).previous;
            write_name(slot, old, old);
        }
    }
}

/// # Safety
/// `slot` is an element of SLOTS.
#[inline(always)]
unsafe fn write_name(slot: *mut Slot, previous: [u8; 16], comm: [u8; 16]) {
    // SAFETY: by the caller; the version makes readers on other CPUs wait.
    unsafe {
        let version = (*slot).version;
        write_volatile(&raw mut (*slot).version, version.wrapping_add(1));
        (*slot).previous = previous;
        write_volatile(&raw mut (*slot).comm, comm);
        write_volatile(&raw mut (*slot).version, version.wrapping_add(2));
    }
}
