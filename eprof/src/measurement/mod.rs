//! What all rooms speak of: meters and their readings, tasks and what they did,
//! code and stacks. Data only: nobody here measures, and nobody here reckons.

mod baseline;
mod code;
mod cpu_group;
mod loss;
mod meter;
mod signals;
mod stack_end;
mod task;

pub use baseline::Baseline;
pub use code::{
    Frame, FrameId, Line, Lines, Object, ObjectId, Segment, StackId, StackNode, Symbol,
};
pub use cpu_group::Zone;
pub use loss::Loss;
pub use meter::{Domain, Edge, Meter, MeterId, Provenance, Quantity, Reading, Scope, SourceKind};
pub use signals::{
    COUNTERS, Counter, CpuAccount, IntervalAccounts, Signals, ThreadAccount, ZoneId,
};
pub use stack_end::StackEnd;
pub use task::{Task, TaskId};
