//! The kernel side, as user space sees it: load, attach, close an interval,
//! drain. Knows nothing of joules.

mod border;
mod bpf;
mod btf;
mod cell;
mod chunk_types;
pub mod counting;
mod doorbell;
pub mod event;
mod footprint;
mod kernel_types;
mod link;
mod load;
pub mod mapping;
mod names;
pub mod object;
mod pmu;
mod probe;
mod program;
mod read_only;
mod regions;
mod ring;
mod roster;
mod sample;
mod sampling;
mod settings;
mod shared;
pub mod stack;
mod tables;
mod tracepoint;
pub mod trust;
mod unwinding;
mod urgency;

pub use counting::{CountedEvent, Counting};
pub use event::{Inode, KernelEvent, Mapping, Sample};
pub use mapping::Sideband;
pub use names::KernelNames;
pub use probe::Probe;
pub use settings::Settings;
pub use stack::{Beyond, StackCopy};
pub use tables::{Coming as ComingChunk, KernelChunk, KernelTables};
pub use unwinding::Unwinding;
pub use urgency::Urgency;
