//! Reading `task_struct` at offsets that user space found in the kernel's BTF.
//!
//! `.rodata` is frozen before the programs are verified, so the offsets are
//! constants to the verifier: it checks each load against the kernel's own
//! type information, and a wrong offset is refused instead of reading rubbish.

use aya_ebpf::Global;

/// Says that an offset is not known.
pub const UNKNOWN: u32 = u32::MAX;
/// `PF_KTHREAD` of `include/linux/sched.h`: a kernel thread.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// Offset of `task_struct.pid`.
#[unsafe(no_mangle)]
static OFFSET_PID: Global<u32> = Global::new(UNKNOWN);
/// Offset of `task_struct.tgid`.
#[unsafe(no_mangle)]
static OFFSET_TGID: Global<u32> = Global::new(UNKNOWN);
/// Offset of `task_struct.flags`.
#[unsafe(no_mangle)]
static OFFSET_FLAGS: Global<u32> = Global::new(UNKNOWN);

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

    #[inline(always)]
    fn load(self, offset: u32) -> u32 {
        // SAFETY: the pointer is a trusted task_struct, and the verifier
        // checks that there is a field of this size at the offset.
        unsafe { *self.0.add(offset as usize).cast::<u32>() }
    }
}
