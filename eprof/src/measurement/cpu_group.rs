//! CPUs that are accounted together.

use serde::{Deserialize, Serialize};

use super::CpuGroupId;

/// CPUs that are accounted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuGroup {
    /// Position in the header's list.
    pub id: CpuGroupId,
    /// Logical CPUs, ascending. Each online CPU is in exactly one group.
    pub cpus: Vec<u32>,
    /// Their core type, as the kernel names it (`cpu_core`, `cpu_atom`);
    /// empty where all cores are alike.
    pub core: String,
}
