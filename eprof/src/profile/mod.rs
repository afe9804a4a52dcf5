//! The profile: the one neutral model from which every output is made.

mod build;
mod commands;
mod functions;
pub mod model;
mod names;
mod width;

pub use model::{
    CommandRow, CpuRow, FunctionKey, FunctionRow, ModuleRow, ProcessKey, ProcessRow, Profile,
    StackRow, Summary, SymbolFrame, ThreadRow,
};
pub use names::{KERNEL, TRUNCATED, UNKNOWN, UNSAMPLED};
