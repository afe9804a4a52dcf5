//! Reading `task_struct` at offsets that user space found in the kernel's BTF.
//!
//! `.rodata` is frozen before the programs are verified, so the offsets are
//! constants to the verifier: it checks each load against the kernel's own
//! type information, and a wrong offset is refused instead of reading rubbish.

use aya_ebpf::{
    Global,
    helpers::{bpf_get_current_task_btf, bpf_probe_read_kernel},
};

/// Says that an offset is not known.
pub const UNKNOWN: u32 = u32::MAX;
/// `PF_KTHREAD` of `include/linux/sched.h`: a kernel thread.
const KERNEL_THREAD: u32 = 0x0020_0000;
/// `TASK_DEAD` of `include/linux/sched.h`: switched out for the last time.
const DEAD: u32 = 0x80;

/// Offset of `task_struct.pid`.
#[unsafe(no_mangle)]
static OFFSET_PID: Global<u32> = Global::new(UNKNOWN);
/// Offset of `task_struct.tgid`.
#[unsafe(no_mangle)]
static OFFSET_TGID: Global<u32> = Global::new(UNKNOWN);
/// Offset of `task_struct.flags`.
#[unsafe(no_mangle)]
static OFFSET_FLAGS: Global<u32> = Global::new(UNKNOWN);
/// Offset of `task_struct.thread_pid`.
#[unsafe(no_mangle)]
static OFFSET_THREAD_PID: Global<u32> = Global::new(UNKNOWN);
/// Offset of `task_struct.group_leader`.
#[unsafe(no_mangle)]
static OFFSET_GROUP_LEADER: Global<u32> = Global::new(UNKNOWN);
/// Offset of `pid.level`.
#[unsafe(no_mangle)]
static OFFSET_LEVEL: Global<u32> = Global::new(UNKNOWN);
/// Offset of `pid.numbers`.
#[unsafe(no_mangle)]
static OFFSET_NUMBERS: Global<u32> = Global::new(UNKNOWN);
/// Offset of `task_struct.__state` (`state` before Linux 5.14).
#[unsafe(no_mangle)]
static OFFSET_STATE: Global<u32> = Global::new(UNKNOWN);
/// Offset of `task_struct.mm`.
#[unsafe(no_mangle)]
static OFFSET_MM: Global<u32> = Global::new(UNKNOWN);
/// Offset of `task_struct.thread`.
#[unsafe(no_mangle)]
static OFFSET_THREAD: Global<u32> = Global::new(UNKNOWN);
/// Offset of `thread_struct.fsbase`, on x86-64.
#[unsafe(no_mangle)]
static OFFSET_FSBASE: Global<u32> = Global::new(UNKNOWN);
/// Offset of `mm_struct.start_stack`.
#[unsafe(no_mangle)]
static OFFSET_START_STACK: Global<u32> = Global::new(UNKNOWN);
/// Size of `struct upid` of `include/linux/pid.h`: an int and a pointer.
const UPID: usize = 16;

/// A `task_struct` the kernel vouches for.
#[derive(Clone, Copy)]
pub struct TaskPointer(pub *mut u8);

impl TaskPointer {
    /// The thread id.
    #[inline(always)]
    pub fn tid(self) -> u32 {
        self.load(OFFSET_PID.load())
    }

    /// The thread group id.
    #[inline(always)]
    pub fn tgid(self) -> u32 {
        self.load(OFFSET_TGID.load())
    }

    /// Whether it is a kernel thread; never, where that cannot be told.
    #[inline(always)]
    pub fn is_kernel(self) -> bool {
        let offset = OFFSET_FLAGS.load();
        offset != UNKNOWN && self.load(offset) & KERNEL_THREAD != 0
    }

    /// Whether a task that is being switched out, other than by preemption,
    /// goes to sleep: it has a state other than running (zero), and not that
    /// of the dead. What was woken again meanwhile has the state of those that
    /// are being woken, and slept too. Never, where it cannot be told.
    #[inline(always)]
    pub fn falls_asleep(self) -> bool {
        let offset = OFFSET_STATE.load();
        if offset == UNKNOWN {
            return false;
        }
        let state = self.load(offset);
        state != 0 && state & DEAD == 0
    }

    /// Whether the running task has no user memory (any more); never, where
    /// that cannot be told.
    #[inline(always)]
    pub fn is_without_memory() -> bool {
        let at = OFFSET_MM.load();
        // SAFETY: takes nothing, has no side effects.
        let task = unsafe { bpf_get_current_task_btf() };
        at != UNKNOWN && read::<u64>(offset(task.cast(), at)) == 0
    }

    /// Where the running thread's stack begins, at its outermost frame; zero where that
    /// cannot be told. The stack of a process's `first` thread begins where the kernel
    /// has put the program's arguments (`create_elf_tables` in fs/binfmt_elf.c). That of
    /// other threads begins below what their C library keeps of them, where the thread
    /// pointer points (x86-64).
    #[inline(always)]
    pub fn stack_begin(first: bool) -> u64 {
        // SAFETY: takes nothing, has no side effects.
        let task = unsafe { bpf_get_current_task_btf() }.cast::<u8>();
        if first {
            let (mm, at) = (OFFSET_MM.load(), OFFSET_START_STACK.load());
            if mm == UNKNOWN || at == UNKNOWN {
                return 0;
            }
            return read(offset(read(offset(task, mm)), at));
        }
        let (thread, at) = (OFFSET_THREAD.load(), OFFSET_FSBASE.load());
        if thread == UNKNOWN || at == UNKNOWN {
            return 0;
        }
        read(offset(offset(task, thread), at))
    }

    /// How deep the PID namespace lies in which the task lives.
    #[inline(always)]
    pub fn level(self) -> u32 {
        read(offset(thread_pid(self.0), OFFSET_LEVEL.load()))
    }

    /// The thread id and the thread group id, as numbers of the PID namespace at `level`
    /// above the task (zero for the initial one).
    #[inline(always)]
    pub fn ids(self, level: u32) -> (u32, u32) {
        if level == 0 {
            return (self.tid(), self.tgid());
        }
        let leader = read(offset(self.0, OFFSET_GROUP_LEADER.load()));
        (number(self.0, level), number(leader, level))
    }

    #[inline(always)]
    fn load(self, offset: u32) -> u32 {
        // SAFETY: the pointer is a trusted task_struct, and the verifier
        // checks that there is a field of this size at the offset.
        unsafe { *self.0.add(offset as usize).cast::<u32>() }
    }
}

#[inline(always)]
fn offset(base: *mut u8, bytes: u32) -> *mut u8 {
    base.wrapping_add(bytes as usize)
}

/// `task->thread_pid`
#[inline(always)]
fn thread_pid(task: *mut u8) -> *mut u8 {
    read(offset(task, OFFSET_THREAD_PID.load()))
}

/// `task->thread_pid->numbers[level].nr`
#[inline(always)]
fn number(task: *mut u8, level: u32) -> u32 {
    let numbers = offset(thread_pid(task), OFFSET_NUMBERS.load());
    read(numbers.wrapping_add(level as usize * UPID))
}

/// What lies at a kernel address; zeroes where nothing does.
#[inline(always)]
fn read<T>(at: *mut u8) -> T {
    // SAFETY: the helper checks the address; every bit pattern, zeroes
    // included, is a value of the numbers and raw pointers read here.
    unsafe { bpf_probe_read_kernel(at.cast::<T>()).unwrap_or(core::mem::zeroed()) }
}
