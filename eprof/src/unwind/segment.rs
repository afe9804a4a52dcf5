//! Code: of which processor it is, where it lies in its file, and what one
//! function's description says of it.

use eprof_common::Rule;

/// The processors whose code can be unwound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    /// x86-64.
    X86_64,
    /// AArch64, little-endian.
    Aarch64,
}

/// A piece of a file that is mapped as code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset in the file.
    pub offset: u64,
    /// Length in bytes, as far as it is in the file.
    pub length: u64,
    /// Address, relative to where the file is loaded.
    pub address: u64,
}

impl Segment {
    /// One past the last address.
    pub fn end(&self) -> u64 {
        self.address.saturating_add(self.length)
    }
}

/// The rule for code that has no caller.
pub(super) const ROOT: Rule = Rule {
    ra: Rule::RA_ROOT,
    ..Rule::of(Rule::UNSUPPORTED)
};

/// What one function's description says.
#[derive(Default)]
pub(super) struct Described {
    /// One past its last byte.
    pub(super) end: u64,
    /// From each address on, a rule.
    pub(super) rows: Vec<(u64, Rule)>,
}
