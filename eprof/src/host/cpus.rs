//! The online CPUs and where they sit: package, die, core, and which of them
//! share a core.

use std::collections::BTreeSet;

use serde::Serialize;

use super::cores::{self, CoreType};
use super::cpulist;
use super::root::SysRoot;
use crate::measurement::Scope;

const CPU_DIRECTORY: &str = "/sys/devices/system/cpu";

/// One online logical CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// Its number.
    pub cpu: u32,
    /// `physical_package_id`; 0 where unknown.
    pub package: u32,
    /// `die_id`; 0 where unknown.
    pub die: u32,
    /// `core_id`; the CPU's own number where unknown.
    pub core: u32,
    /// `None` on processors with one kind of core.
    pub kind: Option<CoreType>,
}

/// The online CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cpus {
    /// Ascending by number.
    pub online: Vec<Cpu>,
}

impl Cpus {
    /// Reads the online CPUs below `root`.
    ///
    /// Where the root has no CPU directory (a fake tree that holds meters
    /// only), the machine's own CPUs are taken: the kernel hooks run on those.
    /// Missing topology files make one package with one die, each CPU a core.
    pub fn read(root: &SysRoot) -> Self {
        if let Some(found) = Self::below(root) {
            return found;
        }
        let machine = SysRoot::machine();
        if let Some(found) = Self::below(&machine) {
            return found;
        }
        Self {
            online: (0..configured()).map(|cpu| locate(root, cpu)).collect(),
        }
    }

    fn below(root: &SysRoot) -> Option<Self> {
        let list = root.read(format!("{CPU_DIRECTORY}/online")).ok()?;
        let numbers = cpulist::parse(&list).filter(|numbers| !numbers.is_empty())?;
        let mut online: Vec<Cpu> = numbers.iter().map(|&cpu| locate(root, cpu)).collect();
        set_kinds(root, &mut online);
        Some(Self { online })
    }

    /// The numbers of the online CPUs, ascending.
    pub fn numbers(&self) -> Vec<u32> {
        self.online.iter().map(|cpu| cpu.cpu).collect()
    }

    /// One CPU, where it is online.
    pub fn get(&self, cpu: u32) -> Option<&Cpu> {
        self.online.iter().find(|other| other.cpu == cpu)
    }

    /// The packages that have an online CPU, ascending.
    pub fn packages(&self) -> Vec<u32> {
        let set: BTreeSet<u32> = self.online.iter().map(|cpu| cpu.package).collect();
        set.into_iter().collect()
    }

    /// The numbers of the online CPUs in `scope`, ascending.
    pub fn in_scope(&self, scope: Scope) -> Vec<u32> {
        self.online
            .iter()
            .filter(|cpu| match scope {
                Scope::Machine => true,
                Scope::Package(package) => cpu.package == package,
                Scope::Die { package, die } => cpu.package == package && cpu.die == die,
                Scope::Core { package, core } => cpu.package == package && cpu.core == core,
            })
            .map(|cpu| cpu.cpu)
            .collect()
    }

    /// Whether there is more than one kind of cores.
    pub fn hybrid(&self) -> bool {
        let kinds: BTreeSet<_> = self.online.iter().map(|cpu| cpu.kind).collect();
        kinds.len() > 1
    }
}

/// Whether `cpu` of this machine is online now.
pub fn is_online(cpu: u32) -> bool {
    Cpus::read(&SysRoot::machine()).get(cpu).is_some()
}

/// CPUs the C library counts as online, at least one.
fn configured() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
}

fn locate(root: &SysRoot, cpu: u32) -> Cpu {
    // Some ARM kernels write -1 where firmware gives no number.
    let id = |name: &str| -> Option<u32> {
        let text = root
            .read(format!("{CPU_DIRECTORY}/cpu{cpu}/topology/{name}"))
            .ok()?;
        text.trim().parse().ok()
    };
    Cpu {
        cpu,
        package: id("physical_package_id").unwrap_or(0),
        die: id("die_id").unwrap_or(0),
        core: id("core_id").unwrap_or(cpu),
        kind: None,
    }
}

/// Sets the kinds of the cores, where there are several.
fn set_kinds(root: &SysRoot, online: &mut [Cpu]) {
    let pmus = cores::pmus(root);
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

/// The CPUs that are hardware threads of one core, each with the one whose
/// activity counts as shared: `(CPU, sibling)`. Where a core has more than two,
/// they are taken in pairs, and an odd one is paired with the first.
///
/// Where the root has no CPU directory, the machine's own CPUs are taken, as
/// in [`Cpus::read`].
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
