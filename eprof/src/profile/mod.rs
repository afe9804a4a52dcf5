//! The profile: the one neutral model from which every output is made.

mod bins;
mod build;
mod commands;
mod consumers;
mod course;
mod detail;
mod functions;
mod kind;
pub mod model;
mod moments;
mod names;
mod sum;
mod width;

pub use bins::{Bins, Grain};
pub use consumers::{Consumer, Group};
pub use course::{Course, CourseWatch, MeterCourse};
pub use detail::Detail;
pub use kind::{FrameKind, kinds};
pub use model::{
    CommandRow, CpuRow, FunctionKey, FunctionRow, MemberRow, ModuleRow, ProcessKey, ProcessRow,
    Profile, StackRow, StackShare, Summary, SymbolFrame, ThreadRow,
};
pub use moments::{Moments, MomentsWatch, Power, Seen, ThreadMoments};
pub use names::{GENERATED, INTERRUPT, KERNEL, TRUNCATED, UNKNOWN, UNSAMPLED};
pub use sum::Sum;
pub use width::Parts;
