//! What machine this is: its CPUs, its kernel, what it lets us do.
//!
//! All of it is read below a [`root::SysRoot`], totally: a file that is
//! missing or holds garbage makes a value unknown, never a panic and never a
//! guess that looks like a fact.

mod capability;
pub mod caps;
pub mod cores;
pub mod cpulist;
pub mod cpus;
pub mod elevation;
pub mod energy_filter;
pub mod kernel;
pub mod load;
pub mod mountinfo;
pub mod own_cgroup;
pub mod processor;
pub mod rank;
pub mod remedy;
pub mod root;
pub mod thread_caps;

pub use cores::{CorePmu, CoreType};
pub use cpus::{Cpu, Cpus};
pub use kernel::Kernel;
pub use processor::Processor;
pub use root::SysRoot;
