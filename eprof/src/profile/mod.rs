//! The profile: the one neutral model from which every output is made.

pub mod model;

pub use model::{
    CpuRow, FunctionKey, FunctionRow, ModuleRow, ProcessKey, ProcessRow, Profile, StackRow,
    Summary, SymbolFrame, ThreadRow,
};
