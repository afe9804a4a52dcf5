//! CPUs and where they sit.

use eprof::host::{cores, cpus};
use eprof::source::selection::cpu_groups::cpu_groups;

use super::*;

#[test]
fn hybrid_cores_are_told_apart_and_share_a_package() {
    let tree = Tree::new();
    tree.cpus(1, 1, 6, 1)
        .write("/sys/devices/cpu_core/cpus", "0-1")
        .write("/sys/devices/cpu_atom/cpus", "2-5");
    let cpus = Cpus::read(&tree.root());
    assert!(cpus.hybrid());
    let fast: Vec<u32> = cpus
        .online
        .iter()
        .filter(|cpu| cpu.kind == Some(CoreType::Performance))
        .map(|cpu| cpu.cpu)
        .collect();
    assert_eq!(fast, [0, 1]);
    assert_eq!(cpus.in_scope(Scope::Package(0)).len(), 6);
}

#[test]
fn a_tree_without_cpus_takes_the_machines_own() {
    let tree = Tree::new();
    assert_eq!(Cpus::read(&tree.root()), Cpus::read(&SysRoot::machine()));
}

#[test]
fn offline_cpus_and_missing_topology_are_survived() {
    let tree = Tree::new();
    tree.write("/sys/devices/system/cpu/online", "0,2");
    tree.write(
        "/sys/devices/system/cpu/cpu2/topology/physical_package_id",
        -1,
    );
    let cpus = Cpus::read(&tree.root());
    assert_eq!(cpus.numbers(), [0, 2]);
    assert_eq!(cpus.packages(), [0]);
}

#[test]
fn unlike_cores_are_unlike_groups() {
    let tree = Tree::new();
    tree.cpus(1, 1, 6, 1)
        .write("/sys/devices/cpu_core/cpus", "0-1")
        .write("/sys/devices/cpu_core/type", 4)
        .write("/sys/devices/cpu_atom/cpus", "2-4")
        .write("/sys/devices/cpu_atom/type", 10)
        .write("/sys/devices/cpu_lowpower/cpus", "5");
    let groups = cpu_groups(&[], &Cpus::read(&tree.root()));
    let named: Vec<(&str, &[u32])> = groups
        .iter()
        .map(|group| (group.core.as_str(), group.cpus.as_slice()))
        .collect();
    assert_eq!(
        named,
        [
            ("cpu_core", [0, 1].as_slice()),
            ("cpu_atom", &[2, 3, 4]),
            ("cpu_lowpower", &[5])
        ]
    );
    let pmus = cores::pmus(&tree.root());
    let numbers: Vec<_> = pmus.iter().map(|pmu| pmu.number).collect();
    assert_eq!(numbers, [Some(4), Some(10), None]);
}

#[test]
fn capacities_tell_cores_apart_and_equal_ones_do_not() {
    let tree = Tree::new();
    tree.cpus(1, 1, 4, 1);
    for (cpu, capacity) in [1024, 446, 446, 1024].into_iter().enumerate() {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/cpu_capacity");
        tree.write(&path, capacity);
    }
    let split = cpu_groups(&[], &Cpus::read(&tree.root()));
    assert_eq!(split.len(), 2);
    assert_eq!(
        (split[0].core.as_str(), &split[0].cpus[..]),
        ("capacity-1024", &[0, 3][..])
    );
    for cpu in 0..4 {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/cpu_capacity");
        tree.write(&path, 1024);
    }
    let one = cpu_groups(&[], &Cpus::read(&tree.root()));
    assert_eq!((one.len(), one[0].core.as_str()), (1, ""));
}

#[test]
fn one_core_pmu_is_no_hybrid() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 1)
        .write("/sys/devices/cpu_core/cpus", "0-1")
        .write("/sys/devices/cpu_core/type", 4);
    assert_eq!(cores::pmus(&tree.root()), []);
    assert!(!Cpus::read(&tree.root()).hybrid());
}

#[test]
fn siblings_are_the_threads_of_a_core() {
    let siblings = |lists: &[&str]| {
        let tree = Tree::new();
        tree.cpus(1, 1, u32::try_from(lists.len()).unwrap(), 1);
        for (cpu, list) in lists.iter().enumerate() {
            let base = format!("/sys/devices/system/cpu/cpu{cpu}/topology");
            tree.write(&format!("{base}/thread_siblings_list"), list);
        }
        cpus::siblings(&tree.root())
    };
    assert_eq!(siblings(&["0", "1"]), []);
    assert_eq!(
        siblings(&["0,2", "1,3", "0,2", "1,3"]),
        [(0, 2), (1, 3), (2, 0), (3, 1)]
    );
    // Four threads a core: pairs. Three: the odd one looks at the first.
    assert_eq!(
        siblings(&["0-3", "0-3", "0-3", "0-3"]),
        [(0, 1), (1, 0), (2, 3), (3, 2)]
    );
    assert_eq!(siblings(&["0-2", "0-2", "0-2"]), [(0, 1), (1, 0), (2, 0)]);
    // Garbage is nobody's sibling.
    assert_eq!(siblings(&["x", "7"]), []);
}
