//! What all rooms speak of: meters and their readings, tasks and what they did,
//! code and stacks. Data only: nothing here measures or calculates.

mod baseline;
mod by_name;
mod code;
mod cpu_group;
pub(crate) mod event;
mod idle_power;
mod loss;
mod meter;
mod readable;
mod signals;
mod slice;
mod stack_end;
mod task;

pub use baseline::Baseline;
pub use code::{
    Frame, FrameId, Line, Lines, Object, ObjectId, Segment, StackId, StackNode, Symbol,
};
pub use cpu_group::CpuGroup;
pub use event::{COUNTERS, Counter, EVENTS, Event, EventUnit, Events};
pub use idle_power::IdlePower;
pub use loss::Loss;
pub use meter::{
    Domain, Meter, MeterId, Provenance, Quantity, Reading, Scope, SourceKind, UpdateTime,
};
pub use signals::{CpuAccount, CpuGroupId, IntervalAccounts, Signals, ThreadAccount};
pub use slice::SampledSlice;
pub use stack_end::StackEnd;
pub use task::{Task, TaskId};
