//! All maps, and the constants that user space sets before loading.

use aya_ebpf::{
    Global,
    btf_maps::{Array, HashMap, PerCpuArray},
    helpers::bpf_get_smp_processor_id,
    macros::{btf_map, map},
    maps::{PerfEventArray, RingBuf},
};
use eprof_common::{
    Cell, Control, CpuState, Link, Outcome, Program, SampleHeader, Slot, sample::MAX_FRAMES,
    slot::MAX_SLOTS,
};

/// `BPF_F_MMAPABLE`: user space reads and writes the array as memory, which
/// costs no system call and, unlike one, does not suspend other programs on
/// the CPU.
const MMAPABLE: usize = 1 << 10;
/// `BPF_F_NO_PREALLOC`
const NO_PREALLOC: usize = 1;

/// What user space tells all programs; one entry.
#[btf_map]
pub static CONTROL: Array<Control, 1, MMAPABLE> = Array::new();

/// One entry per possible CPU; sized at load.
#[btf_map]
pub static CPUS: Array<CpuState, 1, MMAPABLE> = Array::new();

/// Incarnations of threads; sized at load.
#[btf_map]
pub static SLOTS: Array<Slot, { MAX_SLOTS as usize }, MMAPABLE> = Array::new();

/// The accounts of the slots; sized at load.
#[btf_map]
pub static CELLS: Array<Cell, 1, MMAPABLE> = Array::new();

/// The ring of free slots: user space fills empty entries, programs empty
/// them in the order of tickets; sized as `SLOTS`.
#[btf_map]
pub static FREE: Array<u64, { MAX_SLOTS as usize }, MMAPABLE> = Array::new();

/// Threads of the target by thread id, where there is no task storage.
#[btf_map]
pub static LINKS: HashMap<u32, Link, 1, NO_PREALLOC> = HashMap::new();

/// Counters by CPU, one map for each kind; the loader gives them as many
/// entries as there are CPUs.
#[map]
pub static COUNTER_0: PerfEventArray<u32> = PerfEventArray::new(0);
#[map]
pub static COUNTER_1: PerfEventArray<u32> = PerfEventArray::new(0);
#[map]
pub static COUNTER_2: PerfEventArray<u32> = PerfEventArray::new(0);
#[map]
pub static COUNTER_3: PerfEventArray<u32> = PerfEventArray::new(0);

/// Stack samples; sized at load.
#[map]
pub static SAMPLES: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Where a sample is put together.
#[repr(C)]
pub struct Scratch {
    /// The head; both stacks follow without a gap.
    pub header: SampleHeader,
    /// Room for both stacks, plus one frame for the verifier, which takes the
    /// first stack's length for its mask.
    pub frames: [u64; 2 * (MAX_FRAMES + 1)],
}

/// One per CPU: sampling programs do not nest.
#[btf_map]
pub static SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// Number of slots minus one; the number is a power of two.
#[unsafe(no_mangle)]
pub static SLOT_MASK: Global<u32> = Global::new(MAX_SLOTS - 1);
/// Number of zones.
#[unsafe(no_mangle)]
pub static ZONES: Global<u32> = Global::new(1);
/// One where threads are found by task storage, zero where by `LINKS`.
#[unsafe(no_mangle)]
pub static STORAGE: Global<u32> = Global::new(1);
/// The counters that are in use, one bit each.
#[unsafe(no_mangle)]
pub static COUNTED: Global<u32> = Global::new(0);
/// One where some CPU has an SMT sibling.
#[unsafe(no_mangle)]
pub static SIBLINGS: Global<u32> = Global::new(0);

/// The CPU that a program runs on.
#[derive(Clone, Copy)]
pub struct Here {
    /// Its number.
    pub number: u32,
    /// Its entry.
    pub cpu: *mut CpuState,
}

/// The CPU that this program runs on.
#[inline(always)]
pub fn here() -> Option<Here> {
    // SAFETY: takes nothing, has no side effects.
    let number = unsafe { bpf_get_smp_processor_id() };
    CPUS.get_ptr_mut(number).map(|cpu| Here { number, cpu })
}

/// The entry of this CPU.
#[inline(always)]
pub fn this_cpu() -> Option<*mut CpuState> {
    here().map(|here| here.cpu)
}

/// The one control entry.
#[inline(always)]
pub fn control() -> Option<*mut Control> {
    CONTROL.get_ptr_mut(0)
}

/// Counts a run of a program on this CPU.
#[inline(always)]
pub fn ran(cpu: *mut CpuState, program: Program) {
    // SAFETY: `cpu` is an element of CPUS; the number is a constant in range.
    unsafe { (*cpu).runs[program.0 as usize] += 1 }
}

/// Counts a loss on this CPU.
#[inline(always)]
pub fn lost(outcome: Outcome) {
    if let Some(cpu) = this_cpu() {
        // SAFETY: as above.
        unsafe { (*cpu).lost[outcome.0 as usize] += 1 }
    }
}
