//! What kinds of cores there are, which perf PMU counts for each, and which
//! CPUs share a core.

use std::collections::BTreeSet;

use serde::Serialize;

use super::cpulist;
use super::cpus::{CPU_DIRECTORY, Cpu};
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

/// Sets the kinds of the cores, where there are several.
pub(super) fn set_kinds(root: &SysRoot, online: &mut [Cpu]) {
    let pmus = pmus(root);
    if !pmus.is_empty() {
        for cpu in online.iter_mut() {
            let pmu = pmus
                .iter()
                .find(|pmu| pmu.cpus.binary_search(&cpu.cpu).is_ok());
            cpu.kind = pmu.map(|pmu| pmu.kind);
        }
        return;
    }

    // ARM (big.LITTLE): relative capacities, 1024 for the fastest
    // (Documentation/scheduler/sched-capacity.rst).
    let capacity = |cpu: &Cpu| -> Option<u32> {
        let path = format!("{CPU_DIRECTORY}/cpu{}/cpu_capacity", cpu.cpu);
        root.read(path).ok()?.trim().parse().ok()
    };
    let capacities: Vec<Option<u32>> = online.iter().map(capacity).collect();
    let different: BTreeSet<_> = capacities.iter().flatten().collect();
    if different.len() > 1 {
        for (cpu, capacity) in online.iter_mut().zip(&capacities) {
            cpu.kind = capacity.map(CoreType::Capacity);
        }
    }
}

/// The CPUs that are hardware threads of one core, each with the one it is
/// watched against: `(CPU, sibling)`. Where a core has more than two, they are
/// taken in pairs, and an odd one looks at the first.
///
/// Where the root has no CPU directory, the machine's own CPUs are taken, as
/// in [`Cpus::read`](super::Cpus::read).
pub fn siblings(root: &SysRoot) -> Vec<(u32, u32)> {
    let machine = SysRoot::machine();
    let root = if root.path(CPU_DIRECTORY).is_dir() {
        root
    } else {
        &machine
    };
    let list = |path: String| {
        root.read(path)
            .ok()
            .and_then(|text| cpulist::parse(&text))
            .unwrap_or_default()
    };
    list(format!("{CPU_DIRECTORY}/online"))
        .into_iter()
        .filter_map(|cpu| {
            let threads = list(format!(
                "{CPU_DIRECTORY}/cpu{cpu}/topology/thread_siblings_list"
            ));
            let position = threads.binary_search(&cpu).ok()?;
            let partner = threads.get(position ^ 1).or(threads.first())?;
            (*partner != cpu).then_some((cpu, *partner))
        })
        .collect()
}
