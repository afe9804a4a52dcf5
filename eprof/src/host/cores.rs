//! What kinds of cores there are, and which perf PMU counts for each.

use serde::Serialize;

use super::cpulist;
use super::root::SysRoot;

/// A kind of cores, on processors that have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoreType {
    /// A fast core of Intel's (`cpu_core`).
    Performance,
    /// A frugal one (`cpu_atom`).
    Efficiency,
    /// A still more frugal one (`cpu_lowpower`).
    LowPower,
    /// A core of ARM's with this `cpu_capacity`; 1024 is the fastest.
    Capacity(u32),
}

impl CoreType {
    /// As the kernel names it: a PMU, or `capacity-446`.
    pub fn name(self) -> String {
        match self {
            Self::Performance => "cpu_core".to_owned(),
            Self::Efficiency => "cpu_atom".to_owned(),
            Self::LowPower => "cpu_lowpower".to_owned(),
            Self::Capacity(capacity) => format!("capacity-{capacity}"),
        }
    }
}

/// The PMU that counts on the cores of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorePmu {
    /// The kind of cores.
    pub kind: CoreType,
    /// The PMU's number, for `perf_event_attr.type`; `None` where it cannot
    /// be read.
    pub number: Option<u32>,
    /// The CPUs, ascending.
    pub cpus: Vec<u32>,
}

/// The core PMUs of an Intel hybrid processor; empty where all cores are alike
/// (`Documentation/admin-guide/perf/` and `tools/perf/Documentation/
/// intel-hybrid.txt`: each PMU has a file `cpus`).
pub fn pmus(root: &SysRoot) -> Vec<CorePmu> {
    let kinds = [
        CoreType::Performance,
        CoreType::Efficiency,
        CoreType::LowPower,
    ];
    let found: Vec<CorePmu> = kinds
        .into_iter()
        .filter_map(|kind| {
            let read = |file: &str| {
                ["/sys/bus/event_source/devices", "/sys/devices"]
                    .iter()
                    .find_map(|base| root.read(format!("{base}/{}/{file}", kind.name())).ok())
            };
            let cpus = cpulist::parse(&read("cpus")?).filter(|cpus| !cpus.is_empty())?;
            Some(CorePmu {
                kind,
                number: read("type").and_then(|text| text.trim().parse().ok()),
                cpus,
            })
        })
        .collect();
    if found.len() > 1 { found } else { Vec::new() }
}
