//! CPUs and where they sit.

use crate::*;

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
