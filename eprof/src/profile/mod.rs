//! The profile: the one neutral model from which every output is made.

mod bins;
mod build;
mod commands;
mod consumers;
mod detail;
mod functions;
mod kind;
mod marker;
pub mod model;
mod names;
mod people;
mod power_series;
mod shares;
mod sum;
mod timed_samples;
mod width;

pub use bins::{Bins, Grain};
pub use consumers::{Consumer, Group};
pub use detail::Detail;
pub use kind::{FrameKind, kinds};
pub use marker::{GENERATED, INTERRUPT, KERNEL, TRUNCATED, UNKNOWN, UNNAMED, UNSAMPLED};
pub use model::{
    CommandRow, CpuRow, FunctionKey, FunctionRow, MemberRow, ModuleRow, ProcessKey, ProcessRow,
    Profile, StackRow, StackShare, Summary, SymbolFrame, ThreadRow,
};
pub use power_series::{MeterSeries, PowerSeries, PowerSeriesObserver};
pub use sum::Sum;
pub use timed_samples::{Power, Seen, ThreadSamples, TimedSamples, TimedSamplesObserver};
pub use width::Parts;
