//! From the compiled programs to programs that are attached.

pub(super) mod btf;
pub(super) mod chunk_types;
pub(super) mod kernel_types;
pub(super) mod link;
pub(super) mod load;
pub mod object;
pub(super) mod program;
pub(super) mod read_only;
pub(super) mod tracepoint;
