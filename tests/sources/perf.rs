//! The power PMUs: what is opened, and where each value goes.

use super::*;

#[test]
fn perf_opens_one_group_per_cpu_of_the_mask() {
    let tree = Tree::new();
    tree.cpus(2, 1, 2, 1).pmu("power", 23, "1,3", &INTEL);
    let (selected, opened) = with_pmu(&tree, |event| u64::from(event.cpu) * 1_000 + event.config);
    assert_eq!(selected.kind, SourceKind::Perf);
    let opened = opened.lock().unwrap();
    let cpus: Vec<BTreeSet<u32>> = opened
        .iter()
        .map(|group| group.iter().map(|event| event.cpu).collect())
        .collect();
    assert_eq!(cpus, [BTreeSet::from([1]), BTreeSet::from([3])]);
    assert!(opened.iter().flatten().all(|event| event.pmu_type == 23));
    let package = meter(&selected, "power/energy-pkg/S1");
    assert_eq!((package.scope, package.nested), (Scope::Package(1), false));
    assert!(meter(&selected, "power/energy-cores/S0").nested);
    match package.quantity {
        Quantity::Counter { unit_uj, modulus } => {
            assert!((unit_uj - 1e6 / 4_294_967_296.0).abs() < 1e-15);
            assert_eq!(modulus, None);
        }
        _ => panic!("not a counter"),
    }
}

#[test]
fn each_perf_value_goes_to_its_own_meter() {
    let tree = Tree::new();
    tree.cpus(2, 1, 2, 1).pmu("power", 23, "1,3", &INTEL);
    // The cores of package 0 do not count, which makes a hole in the group.
    let rate = |event: PowerEvent| match (event.cpu, event.config) {
        (1, 1) => 0,
        (cpu, config) => u64::from(cpu) * 1_000 + config,
    };
    let (mut selected, _) = with_pmu(&tree, rate);
    assert_eq!(selected.source.meters().len(), 5);
    let first = selected.source.read().unwrap();
    let second = selected.source.read().unwrap();
    for (position, meter) in selected.source.meters().iter().enumerate() {
        let config = match meter.domain {
            Domain::Core => 1,
            Domain::Package => 2,
            _ => 3,
        };
        let cpu = if meter.scope == Scope::Package(1) {
            3
        } else {
            1
        };
        assert_eq!(usize::from(meter.id.0), position);
        assert_eq!(first[position].meter, meter.id);
        assert_eq!(
            second[position].raw - first[position].raw,
            cpu * 1_000 + config
        );
    }
}

#[test]
fn events_that_cannot_be_grouped_are_read_alone() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 1).pmu("power", 23, "0", &INTEL);
    let fake = Fake {
        rate: |event: PowerEvent| event.config,
        opened: Opened::default(),
        refuse_groups: true,
    };
    let finder = Finder::new(tree.root()).probe(SHORT).opener(Box::new(fake));
    let selected = finder.select(Choice::Auto).unwrap();
    assert_eq!(
        names(&selected),
        [
            "power/energy-pkg/",
            "power/energy-cores/",
            "power/energy-ram/"
        ]
    );
}

#[test]
fn an_event_that_the_kernel_refuses_leaves_the_others_right() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 1).pmu("power", 23, "0", &INTEL);
    struct Picky;
    impl Opener for Picky {
        fn open(&mut self, events: &[PowerEvent]) -> IoResult<Box<dyn CounterGroup>> {
            match events {
                [event] if event.config != 2 => Ok(Box::new(FakeGroup {
                    values: vec![(0, event.config)],
                })),
                _ => Err(std::io::Error::from_raw_os_error(13)),
            }
        }
    }
    let finder = Finder::new(tree.root())
        .probe(SHORT)
        .opener(Box::new(Picky));
    let mut selected = finder.select(Choice::Kind(SourceKind::Perf)).unwrap();
    assert_eq!(
        names(&selected),
        ["power/energy-cores/", "power/energy-ram/"]
    );
    let before = selected.source.read().unwrap();
    let after = selected.source.read().unwrap();
    let steps: Vec<u64> = before
        .iter()
        .zip(&after)
        .map(|(a, b)| b.raw - a.raw)
        .collect();
    assert_eq!(steps, [1, 3]);
    let perf = candidate(&selected, SourceKind::Perf);
    let note = perf
        .meters
        .iter()
        .find(|note| note.name == "power/energy-pkg/")
        .unwrap();
    assert!(note.hint.unwrap().contains("cap_perfmon"), "{note:?}");
}

#[test]
fn amd_has_a_package_and_every_core() {
    let tree = Tree::new();
    tree.cpus(1, 1, 4, 2)
        .pmu("power", 23, "0", &[("energy-pkg", 2)])
        .pmu("power_core", 24, "0,2,4,6", &[("energy-core", 1)]);
    // Core 3 sleeps so deeply that its counter stands still.
    let (selected, _) = with_pmu(&tree, |event| if event.cpu == 6 { 0 } else { 7 });
    assert_eq!(selected.source.meters().len(), 5);
    let core = meter(&selected, "power_core/energy-core/S0-C2");
    assert_eq!(
        core.scope,
        Scope::Core {
            package: 0,
            core: 2
        }
    );
    assert_eq!((core.cpus.as_slice(), core.nested), (&[4, 5][..], true));
    let groups: Vec<_> = selected
        .cpu_groups
        .iter()
        .map(|group| group.cpus.clone())
        .collect();
    assert_eq!(groups, [vec![0, 1], vec![2, 3], vec![4, 5], vec![6, 7]]);
}

#[test]
fn psys_in_whole_joules_keeps_its_unit() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 1)
        .pmu("power", 23, "0", &[("energy-psys", 5)]);
    tree.write(
        "/sys/bus/event_source/devices/power/events/energy-psys.scale",
        "1",
    );
    let (selected, _) = with_pmu(&tree, |_| 1);
    let psys = meter(&selected, "power/energy-psys/");
    assert_eq!((psys.scope, psys.nested), (Scope::Machine, false));
    match psys.quantity {
        Quantity::Counter { unit_uj, .. } => assert!((unit_uj - 1e6).abs() < 1e-6),
        _ => panic!("not a counter"),
    }
}

#[test]
fn a_counter_that_reads_0_is_no_meter() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 1)
        .processor("GenuineIntel", 6, 207, "fpu hypervisor")
        .pmu("power", 9, "0", &[("energy-psys", 5)]);
    let (selected, _) = with_pmu(&tree, |_| 0);
    assert_eq!(selected.kind, SourceKind::Model);
    let reason = why(candidate(&selected, SourceKind::Perf), "power/energy-psys/");
    assert!(
        reason.contains("reads 0") && reason.contains("hypervisor"),
        "{reason}"
    );
    assert!(has_caveat(&selected, "estimated"));
    assert_eq!(
        selected.source.meters()[0].provenance,
        Provenance::Estimated
    );
}

#[test]
fn packages_by_powercap_beat_psys_by_perf() {
    let tree = Tree::client();
    tree.pmu("power", 9, "0", &[("energy-psys", 5)]);
    let _moving = tree.moving(&[("intel-rapl:0", 20.0)]);
    let (selected, _) = with_pmu(&tree, |_| 5);
    assert_eq!(selected.kind, SourceKind::Powercap);
    assert!(candidate(&selected, SourceKind::Perf).usable);
}

#[test]
fn the_perf_pmu_is_not_opened_for_another_root() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 1).pmu("power", 9, "0", &INTEL);
    let selected = choose(&tree, SHORT);
    assert_eq!(selected.kind, SourceKind::Model);
    let reason = why(candidate(&selected, SourceKind::Perf), "power/energy-pkg/");
    assert!(reason.contains("another root"), "{reason}");
}

#[test]
fn a_pmu_with_garbage_in_it_says_which_file() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 1).pmu("power", 9, "0", &INTEL);
    let events = "/sys/bus/event_source/devices/power/events";
    tree.write(&format!("{events}/energy-pkg.scale"), "-3")
        .write(&format!("{events}/energy-cores.unit"), "Kelvin")
        .write(&format!("{events}/energy-ram"), "event=0x100")
        .write(&format!("{events}/energy-magic"), "event=0x07");
    let (selected, opened) = with_pmu(&tree, |_| 1);
    assert!(opened.lock().unwrap().is_empty());
    let perf = candidate(&selected, SourceKind::Perf);
    for (event, reason) in [
        ("power/energy-pkg/", "scale"),
        ("power/energy-cores/", "not joules"),
        ("power/energy-ram/", "format"),
        ("power/energy-magic/", "does not know"),
    ] {
        assert!(
            why(perf, event).contains(reason),
            "{event}: {}",
            why(perf, event)
        );
    }
}

#[test]
fn a_platform_counter_on_the_root_package_counts_the_whole_machine() {
    let tree = Tree::new();
    tree.cpus(2, 1, 2, 1)
        .pmu("power", 23, "0,2", &[("energy-psys", 5)]);
    let (selected, _) = with_pmu(&tree, |event| u64::from(event.cpu == 0));
    assert_eq!(names(&selected), ["power/energy-psys/S0"]);
    assert_eq!(selected.source.meters()[0].scope, Scope::Machine);
    assert_eq!(selected.source.meters()[0].cpus, [0, 1, 2, 3]);
    assert!(!has_caveat(&selected, "package-without-meter"));
}
