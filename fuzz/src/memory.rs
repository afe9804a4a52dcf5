//! How much memory an input may cost.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes in use beyond what there was before, at most: a hostile file ends in a
/// sentence, not in an exhausted machine.
const BUDGET: usize = 256 << 20;

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

/// Does `work`, and asserts that it stayed within the budget.
pub fn bounded<T>(work: impl FnOnce() -> T) -> T {
    let before = IN_USE.load(Ordering::Relaxed);
    HIGHEST.store(before, Ordering::Relaxed);
    let result = work();
    let more = HIGHEST.load(Ordering::Relaxed).saturating_sub(before);
    assert!(more <= BUDGET, "{} MiB of memory", more >> 20);
    result
}
