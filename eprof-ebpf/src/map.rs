//! All maps, and the constants that user space sets before loading.

use aya_ebpf::{
    Global,
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE},
    btf_maps::{Array, ArrayOfMaps, HashMap},
    helpers::{bpf_get_smp_processor_id, generated::bpf_ringbuf_query},
    macros::{btf_map, map},
    maps::{PerfEventArray, RingBuf},
};
use eprof_common::{
    Cell, Chunk, Control, CpuState, Outcome, Page, Program, Region, Registers, Rule, SampleHeader,
    Slot, TaskState,
    sample::{
        COPY_WORDS, MAX_FRAMES, MAX_OUTER, MAX_PIECES, MAX_USER_FRAMES, PIECE, ResumeFrame,
        ResumeFrames, THREADS_KEPT,
    },
    slot::MAX_SLOTS,
    table::MAX_CHUNKS,
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

/// Task instances; sized at load.
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
pub static TASK_STATES: HashMap<u32, TaskState, 1, NO_PREALLOC> = HashMap::new();

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

/// What is mapped in the processes of the target; sized at load.
#[btf_map]
pub static REGIONS: Array<Region, 1, MMAPABLE> = Array::new();

/// Where the rows of each page of code are; sized at load.
#[btf_map]
pub static PAGES: Array<Page, 1, MMAPABLE> = Array::new();

/// How to find the caller; sized at load.
#[btf_map]
pub static RULES: Array<Rule, 1, MMAPABLE> = Array::new();

/// Rows. User space adds a map of one chunk whenever it needs another one.
#[btf_map]
pub static CHUNKS: ArrayOfMaps<Array<Chunk, 1, MMAPABLE>, MAX_CHUNKS> = ArrayOfMaps::new();

/// All words of a sample but those of pieces lie in the first so many, a
/// power of two.
const WORDS: usize = 2048;

/// The number of pieces, of both ends of a stack, has these bits.
pub const PIECE_MASK: u32 = 127;

/// Where a sample is put together.
#[repr(C)]
pub struct Scratch {
    /// What is mapped in the process, a [`eprof_common::Space`].
    pub space: u64,
    /// How far the walk has come.
    pub registers: Registers,
    /// How it ended.
    pub end: u32,
    /// Frames of the kernel stack.
    pub kernel: u32,
    /// Frames of the user stack.
    pub frames: u32,
    /// Words between the frames and the pieces.
    pub extra: u32,
    /// One if the thread was in the kernel.
    pub entered: u32,
    /// How many of these lie before a gap in the walk.
    pub before: u32,
    /// How many pieces of the stack are to be copied.
    pub wanted: u32,
    /// And of its outer end, beside these.
    pub outer: u32,
    /// One past its outermost byte, once it was copied.
    pub outer_end: u64,
    /// The frame from which the walk went on beyond a gap.
    pub resumed: ResumeFrame,
    /// The head of the record; all else follows without a gap.
    pub header: SampleHeader,
    /// Both stacks, registers, pieces.
    pub words: [u64; WORDS + COPY_WORDS + (PIECE_MASK as usize + 1) * PIECE / 8],
}

const _: () = assert!(MAX_FRAMES * 2 + 2 < WORDS);
const _: () = assert!(MAX_FRAMES + MAX_USER_FRAMES + COPY_WORDS < WORDS);
const _: () = assert!(MAX_PIECES + MAX_OUTER <= PIECE_MASK as usize);

/// The frames at which walks can resume, by the serial number of the thread. Where two
/// threads take turns in one entry, or write to it at the same time, user space refuses
/// what is found in it.
#[btf_map]
pub static RESUME_FRAMES: Array<ResumeFrames, { THREADS_KEPT as usize }, MMAPABLE> = Array::new();

/// One per CPU, for sampling programs do not nest; sized at load. (The values
/// of an array per CPU would be limited to 32 KiB.)
#[btf_map]
pub static SCRATCH: Array<Scratch, 1> = Array::new();

/// How many pieces of the stack are copied at most, where it is.
#[unsafe(no_mangle)]
pub static PIECES: Global<u32> = Global::new(16);
/// Number of slots minus one; the number is a power of two.
#[unsafe(no_mangle)]
pub static SLOT_MASK: Global<u32> = Global::new(MAX_SLOTS - 1);
/// Number of CPU groups.
#[unsafe(no_mangle)]
pub static GROUPS: Global<u32> = Global::new(1);
/// One where threads are found by task storage, zero where by `TASK_STATES`.
#[unsafe(no_mangle)]
pub static STORAGE: Global<u32> = Global::new(1);
/// The counters that are in use, one bit each.
#[unsafe(no_mangle)]
pub static COUNTED: Global<u32> = Global::new(0);
/// One where some CPU has an SMT sibling.
#[unsafe(no_mangle)]
pub static SIBLINGS: Global<u32> = Global::new(0);

/// How many pieces are copied where these suffice, as far as that can be told.
#[inline(always)]
pub fn near() -> u32 {
    PIECES.load() / 2
}

/// Whether there is room for large samples: three quarters of the ring are empty. If
/// eprof falls behind, large samples would make that worse.
#[inline(always)]
pub fn has_room() -> bool {
    let query = |what| {
        // SAFETY: asks the ring for numbers.
        unsafe { bpf_ringbuf_query((&raw const SAMPLES).cast_mut().cast(), u64::from(what)) }
    };
    query(BPF_RB_AVAIL_DATA) < query(BPF_RB_RING_SIZE) / 4
}

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

/// A number with the bits of `MASK`, in a way that the verifier sees: the
/// compiler would leave out a mask that it takes for superfluous.
#[inline(always)]
pub fn bounded<const MASK: u32>(number: u32) -> u64 {
    let mut number = u64::from(number);
    // SAFETY: plain arithmetic.
    unsafe {
        core::arch::asm!(
            "{number} &= {mask}",
            number = inout(reg) number,
            mask = const MASK,
        );
    }
    number
}

/// The index of a word of a sample.
#[inline(always)]
pub fn word(number: u32) -> usize {
    bounded::<{ WORDS as u32 - 1 }>(number) as usize
}
