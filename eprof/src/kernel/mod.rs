//! The kernel side, as user space sees it: load, attach, close an interval,
//! drain. Knows nothing of joules.

mod accounts;
mod bpf;
pub mod counters;
pub mod event;
mod function_names;
mod hotplug;
pub mod loader;
pub mod mapped;
mod newcomers;
mod overhead;
mod priority;
mod probe;
mod refusal;
mod returned;
mod samples;
mod settings;
pub mod sideband;
pub mod stack;
mod unwind_maps;
mod verifier_log;

pub use counters::counting::{CountedEvent, Counting};
pub use event::{Inode, KernelEvent, Mapping, Sample, in_order};
pub use function_names::KernelNames;
pub use mapped::mapped;
pub use priority::Priority;
pub use probe::Probe;
pub use settings::{Settings, Unwinding};
pub use sideband::Sideband;
pub use stack::{Beyond, StackCopy};
pub use unwind_maps::tables::{Coming as ComingChunk, KernelChunk, KernelTables};
pub use verifier_log::VerifierLog;
