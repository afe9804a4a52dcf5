//! The kernel programs of eprof.
//!
//! They keep accounts, per CPU and per thread of the target, and take stack
//! samples. They know nothing of energy. What the shared types mean is said
//! in `common`; the order in which user space reads them is described at
//! [`eprof_common::Control`].
//!
//! Each hook has two forms: `…_btf` programs get typed pointers from the
//! kernel and find a thread by its task storage; `…_classic` programs read
//! the stable records of the tracepoints and find it in a hash by thread id.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod account;
mod counter;
mod follow;
mod hook;
mod hook_classic;
mod map;
mod resume;
mod sample;
mod sibling;
mod task;
mod task_instance;
mod user;
mod walk;

/// Checked by user space before anything else, see
/// [`eprof_common::ABI_SECTION`].
#[unsafe(link_section = ".eprof.abi")]
#[unsafe(no_mangle)]
static ABI: [u8; 4] = eprof_common::ABI_VERSION.to_le_bytes();

/// Several helpers (stacks, the kernel's memory) are for GPL-compatible
/// programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // Never reached: the verifier proves that no program panics.
    loop {}
}
