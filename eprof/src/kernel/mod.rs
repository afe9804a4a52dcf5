//! The kernel side, as user space sees it: load, attach, close an interval,
//! drain. Knows nothing of joules.

pub mod event;
pub mod mapping;

pub use event::{
    Class, CpuAccount, Inode, IntervalAccounts, KernelEvent, Loss, Mapping, Sample, StackEnd, Task,
    TaskId, ThreadAccount, ZoneId,
};
pub use mapping::Sideband;
