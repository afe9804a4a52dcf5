//! What an input may cost: memory and time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Bytes in use beyond what there was before, at most: a hostile file ends in a
/// sentence, not in an exhausted machine.
const BUDGET: usize = 256 << 20;

/// CPU time, at most: inputs have some kilobytes. (`-timeout` goes by the clock, which
/// tells nothing where others use the machine.)
const LONGEST: Duration = Duration::from_secs(5);

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static HIGHEST: AtomicUsize = AtomicUsize::new(0);

/// Counts what Rust code has of memory (zstd's C code is seen by `-rss_limit_mb`).
struct Counted;

impl Counted {
    fn add(bytes: usize) {
        let now = IN_USE.fetch_add(bytes, Ordering::Relaxed) + bytes;
        HIGHEST.fetch_max(now, Ordering::Relaxed);
    }
}

// SAFETY: all work is done by `System`, which keeps the contract.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the same contract.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both exist while it is moved.
        Self::add(size);
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the same contract.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// CPU time of this process.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is there to be written to.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Does `work`, and asserts that it stayed within the limits.
pub fn bounded<T>(work: impl FnOnce() -> T) -> T {
    let before = IN_USE.load(Ordering::Relaxed);
    HIGHEST.store(before, Ordering::Relaxed);
    let begun = cpu_time();
    let result = work();
    let time = cpu_time() - begun;
    assert!(time <= LONGEST, "{time:?} of CPU time");
    let more = HIGHEST.load(Ordering::Relaxed).saturating_sub(before);
    assert!(more <= BUDGET, "{} MiB of memory", more >> 20);
    result
}
