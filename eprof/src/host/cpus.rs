//! The online CPUs and where they sit: package, die, core, core type.

use std::collections::BTreeSet;

use serde::Serialize;

use super::cpulist;
use super::root::SysRoot;
use crate::source::Scope;

const CPU_DIRECTORY: &str = "/sys/devices/system/cpu";

/// The two kinds of cores of a hybrid processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CoreType {
    /// A fast core (Intel `cpu_core`, the highest `cpu_capacity` on ARM).
    Performance,
    /// A frugal core (Intel `cpu_atom` and `cpu_lowpower`, any lower
    /// `cpu_capacity` on ARM).
    Efficiency,
}

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
            online: (0..configured()).map(|cpu| place(root, cpu)).collect(),
        }
    }

    fn below(root: &SysRoot) -> Option<Self> {
        let list = root.read(format!("{CPU_DIRECTORY}/online")).ok()?;
        let numbers = cpulist::parse(&list).filter(|numbers| !numbers.is_empty())?;
        let mut online: Vec<Cpu> = numbers.iter().map(|&cpu| place(root, cpu)).collect();
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

    /// Whether there are two kinds of cores.
    pub fn hybrid(&self) -> bool {
        self.online
            .iter()
            .any(|cpu| cpu.kind == Some(CoreType::Efficiency))
    }
}

/// CPUs the C library counts as online, at least one.
fn configured() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
}

fn place(root: &SysRoot, cpu: u32) -> Cpu {
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

fn set_kinds(root: &SysRoot, online: &mut [Cpu]) {
    // Intel hybrid: one core PMU per kind, with the CPUs that have it.
    let members = |pmu: &str| -> BTreeSet<u32> {
        ["/sys/devices", "/sys/bus/event_source/devices"]
            .iter()
            .find_map(|base| root.read(format!("{base}/{pmu}/cpus")).ok())
            .and_then(|text| cpulist::parse(&text))
            .map(|cpus| cpus.into_iter().collect())
            .unwrap_or_default()
    };
    let fast = members("cpu_core");
    let frugal: BTreeSet<u32> = members("cpu_atom")
        .union(&members("cpu_lowpower"))
        .copied()
        .collect();
    if !fast.is_empty() && !frugal.is_empty() {
        for cpu in online.iter_mut() {
            cpu.kind = if fast.contains(&cpu.cpu) {
                Some(CoreType::Performance)
            } else if frugal.contains(&cpu.cpu) {
                Some(CoreType::Efficiency)
            } else {
                None
            };
        }
        return;
    }

    // ARM (big.LITTLE): relative capacities, 1024 for the fastest.
    let capacities: Vec<Option<u32>> = online
        .iter()
        .map(|cpu| {
            let path = format!("{CPU_DIRECTORY}/cpu{}/cpu_capacity", cpu.cpu);
            root.read(path).ok()?.trim().parse().ok()
        })
        .collect();
    let (Some(Some(highest)), Some(Some(lowest))) =
        (capacities.iter().max(), capacities.iter().min())
    else {
        return;
    };
    if highest == lowest {
        return;
    }
    for (cpu, capacity) in online.iter_mut().zip(&capacities) {
        cpu.kind = Some(if *capacity == Some(*highest) {
            CoreType::Performance
        } else {
            CoreType::Efficiency
        });
    }
}
