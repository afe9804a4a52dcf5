//! Names in brackets, which stand for what has no name of its own.

/// Code whose name is not known.
pub const UNKNOWN: &str = "[unknown]";
/// Stands at the root of a stack whose own root was not reached.
pub const TRUNCATED: &str = "[truncated]";
/// Stands for the stacks of a thread that was never sampled.
pub const UNSAMPLED: &str = "[unsampled]";
/// The module of kernel code.
pub const KERNEL: &str = "[kernel]";
/// The module of code that was made at run time.
pub const GENERATED: &str = "[jit]";
/// Stands between what an interrupt interrupted and what it did.
pub const INTERRUPT: &str = "[irq]";
/// The name of the threads that could not be followed.
pub const UNNAMED: &str = "[unnamed]";
