//! Memory that is free, but not given back.
#![expect(unsafe_code, reason = "a function of the C library")]

/// Gives memory that is free back to the kernel. The types of all structures
/// of the kernel take some 20 MB for as long as the programs are loaded, and
/// small pieces that were allocated meanwhile would keep all of it.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) touches nothing that is in use, and may be called
    // by any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
