//! Whether Intel's energy filtering is on (INTEL-SA-00389, CVE-2020-8695).
//!
//! The filter adds noise to the energy counters so that they do not reveal
//! what data are processed; sums over a run stay right, short intervals do
//! not. It is on when SGX is, or when bit 0 of `MSR_MISC_PACKAGE_CTLS` (0xbc)
//! is set. The MSR exists where `IA32_ARCH_CAPABILITIES` (0x10a) has bits 10
//! and 11 set.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::processor::Processor;
use super::root::SysRoot;

const MSR_ARCH_CAPABILITIES: u64 = 0x10a;
const MSR_MISC_PACKAGE_CTLS: u64 = 0xbc;

/// What is known of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Not on an Intel processor.
    NotApplicable,
    /// Off.
    Off,
    /// On.
    On,
    /// Unknown: the MSRs cannot be read.
    Unknown,
}

/// Finds out, from the processor's flags and `/dev/cpu/0/msr` below `root`.
pub fn read(root: &SysRoot, processor: &Processor) -> Filter {
    if processor.vendor != "GenuineIntel" {
        return Filter::NotApplicable;
    }
    if processor.sgx {
        return Filter::On;
    }
    let Ok(msr) = File::open(root.path("/dev/cpu/0/msr")) else {
        return Filter::Unknown;
    };
    let read = |address: u64| -> Option<u64> {
        let mut bytes = [0u8; 8];
        msr.read_exact_at(&mut bytes, address).ok()?;
        Some(u64::from_le_bytes(bytes))
    };
    match read(MSR_ARCH_CAPABILITIES) {
        None => Filter::Unknown,
        Some(bits) if bits >> 10 & 0b11 != 0b11 => Filter::Off,
        Some(_) => match read(MSR_MISC_PACKAGE_CTLS) {
            None => Filter::Unknown,
            Some(bits) if bits & 1 == 1 => Filter::On,
            Some(_) => Filter::Off,
        },
    }
}
