//! The tables by which the kernel programs walk stacks.

pub(super) mod mode;
pub(super) mod regions;
pub(super) mod tables;
