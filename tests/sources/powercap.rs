//! Powercap zones: found, arranged, read.

use super::*;

#[test]
fn a_client_processor_adds_package_and_dram_only() {
    let tree = Tree::client();
    let _moving = tree.moving(&[
        ("intel-rapl:0", 20.0),
        ("intel-rapl:0:0", 12.0),
        ("intel-rapl:0:1", 2.0),
        ("intel-rapl:0:2", 3.0),
        ("intel-rapl:1", 30.0),
    ]);
    let selected = choose(&tree, PATIENT);
    assert_eq!(selected.kind, SourceKind::Powercap);
    let added: Vec<(&str, Domain)> = selected
        .source
        .meters()
        .iter()
        .filter(|meter| !meter.nested)
        .map(|meter| (meter.name.as_str(), meter.domain))
        .collect();
    assert_eq!(
        added,
        [
            ("intel-rapl:0", Domain::Package),
            ("intel-rapl:0:2", Domain::Dram)
        ]
    );
    assert_eq!(selected.source.meters().len(), 5);
    assert_eq!(
        meter(&selected, "intel-rapl:0").cpus,
        (0..8).collect::<Vec<_>>()
    );
    assert_eq!(meter(&selected, "intel-rapl:1").scope, Scope::Machine);
    assert_eq!(selected.cpu_groups.len(), 1);
    assert_eq!(selected.caveats, []);
}

#[test]
fn readings_are_raw_values_stamped_around_the_read() {
    let tree = Tree::client();
    let moving = tree.moving(&[
        ("intel-rapl:0", 20.0),
        ("intel-rapl:0:0", 12.0),
        ("intel-rapl:0:1", 2.0),
        ("intel-rapl:0:2", 3.0),
        ("intel-rapl:1", 30.0),
    ]);
    let mut selected = choose(&tree, PATIENT);
    drop(moving);
    tree.zone("intel-rapl:0:2", "dram", 123_456, sysfs::RANGE_14);
    let before = eprof::clock::now();
    let readings = selected.source.read().unwrap();
    let after = eprof::clock::now();
    assert_eq!(readings.len(), 5);
    for (reading, meter) in readings.iter().zip(selected.source.meters()) {
        assert_eq!(reading.meter, meter.id);
        assert!(before <= reading.begin && reading.begin <= reading.end && reading.end <= after);
    }
    let dram = meter(&selected, "intel-rapl:0:2").id;
    let raw = readings
        .iter()
        .find(|reading| reading.meter == dram)
        .unwrap()
        .raw;
    assert_eq!(raw, 123_456);

    // A file that turns into garbage is a missing reading, not a zero.
    tree.write("/sys/class/powercap/intel-rapl:0:2/energy_uj", "garbage");
    let readings = selected.source.read().unwrap();
    assert!(readings.iter().all(|reading| reading.meter != dram));
    assert_eq!(readings.len(), 4);

    // All files gone: the source is gone, and says so.
    std::fs::remove_dir_all(tree.at("/sys/class/powercap")).unwrap();
    assert_eq!(
        selected.source.read().unwrap_err().kind(),
        ErrorKind::Unavailable
    );
}

#[test]
fn every_domain_has_its_own_modulus() {
    let tree = Tree::server();
    let _moving = tree.moving(&[
        ("intel-rapl:0", 50.0),
        ("intel-rapl:0:0", 5.0),
        ("intel-rapl:1", 60.0),
        ("intel-rapl:1:0", 6.0),
    ]);
    let selected = choose(&tree, PATIENT);
    let modulus = |name: &str| match meter(&selected, name).quantity {
        Quantity::Counter { modulus, .. } => modulus,
        _ => None,
    };
    assert_eq!(modulus("intel-rapl:0"), Some(sysfs::RANGE_14 + 61));
    assert_eq!(modulus("intel-rapl:0:0"), Some(sysfs::RANGE_16 + 15));
}

#[test]
fn two_sockets_are_two_groups_and_all_their_meters_add() {
    let tree = Tree::server();
    let _moving = tree.moving(&[
        ("intel-rapl:0", 50.0),
        ("intel-rapl:0:0", 5.0),
        ("intel-rapl:1", 60.0),
        ("intel-rapl:1:0", 6.0),
    ]);
    let selected = choose(&tree, PATIENT);
    assert!(selected.source.meters().iter().all(|meter| !meter.nested));
    assert_eq!(meter(&selected, "intel-rapl:1:0").scope, Scope::Package(1));
    assert_eq!(meter(&selected, "intel-rapl:1").cpus, [4, 5, 6, 7]);
    let groups: Vec<_> = selected
        .cpu_groups
        .iter()
        .map(|group| group.cpus.clone())
        .collect();
    assert_eq!(groups, [vec![0, 1, 2, 3], vec![4, 5, 6, 7]]);
}

#[test]
fn a_socket_without_a_meter_is_mentioned() {
    let tree = Tree::server();
    let _moving = tree.moving(&[("intel-rapl:0", 50.0), ("intel-rapl:0:0", 5.0)]);
    let selected = choose(&tree, SHORT);
    assert_eq!(names(&selected), ["intel-rapl:0", "intel-rapl:0:0"]);
    assert!(has_caveat(&selected, "package-without-meter"));
    let reason = why(candidate(&selected, SourceKind::Powercap), "intel-rapl:1");
    assert!(reason.contains("stands still at 1000000"), "{reason}");
}

#[test]
fn the_same_counter_by_msr_and_mmio_counts_once() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 1)
        .zone("intel-rapl:0", "package-0", 5, sysfs::RANGE_14)
        .zone("intel-rapl-mmio:0", "package-0", 5, sysfs::RANGE_14);
    let moving = tree.moving(&[("intel-rapl:0", 20.0), ("intel-rapl-mmio:0", 20.0)]);
    let selected = choose(&tree, PATIENT);
    assert_eq!(names(&selected), ["intel-rapl:0"]);
    let reason = why(
        candidate(&selected, SourceKind::Powercap),
        "intel-rapl-mmio:0",
    );
    assert!(reason.contains("same counter as intel-rapl:0"), "{reason}");

    // Where the MSR zone does not count, the other one is taken.
    drop(moving);
    let _moving = tree.moving(&[("intel-rapl-mmio:0", 20.0)]);
    let selected = choose(&tree, SHORT);
    assert_eq!(names(&selected), ["intel-rapl-mmio:0"]);
}

#[test]
fn mirrored_dies_are_one_package() {
    let tree = Tree::new();
    tree.cpus(1, 2, 2, 1)
        .zone("intel-rapl:0", "package-0-die-0", 5, sysfs::RANGE_16)
        .zone("intel-rapl:1", "package-0-die-1", 5, sysfs::RANGE_16);
    // Truly one counter: the second file is a link to the first.
    let second = tree.counter("intel-rapl:1");
    std::fs::remove_file(&second).unwrap();
    std::os::unix::fs::symlink(tree.counter("intel-rapl:0"), &second).unwrap();
    let _moving = tree.moving(&[("intel-rapl:0", 68.0)]);
    let selected = choose(&tree, PATIENT);
    assert_eq!(names(&selected), ["intel-rapl:0"]);
    assert_eq!(meter(&selected, "intel-rapl:0").scope, Scope::Package(0));
    assert_eq!(meter(&selected, "intel-rapl:0").cpus, [0, 1, 2, 3]);
    assert!(has_caveat(&selected, "mirrored-dies"));
    assert!(!has_caveat(&selected, "package-without-meter"));
}

#[test]
fn two_real_dies_both_count() {
    let tree = Tree::new();
    tree.cpus(1, 2, 2, 1)
        .zone("intel-rapl:0", "package-0-die-0", 5, sysfs::RANGE_16)
        .zone("intel-rapl:1", "package-0-die-1", 5, sysfs::RANGE_16);
    let _moving = tree.moving(&[("intel-rapl:0", 68.0), ("intel-rapl:1", 67.0)]);
    let selected = choose(&tree, PATIENT);
    assert_eq!(names(&selected), ["intel-rapl:0", "intel-rapl:1"]);
    assert_eq!(selected.cpu_groups.len(), 2);
    assert!(!has_caveat(&selected, "mirrored-dies"));
}

#[test]
fn psys_alone_contains_what_is_inside_it() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 1)
        .zone("intel-rapl:0", "package-0", 0, sysfs::RANGE_14)
        .zone("intel-rapl:0:0", "core", 10, sysfs::RANGE_14)
        .zone("intel-rapl:1", "psys", 10, sysfs::RANGE_14);
    let _moving = tree.moving(&[("intel-rapl:0:0", 5.0), ("intel-rapl:1", 30.0)]);
    let selected = choose(&tree, SHORT);
    assert_eq!(names(&selected), ["intel-rapl:0:0", "intel-rapl:1"]);
    assert!(meter(&selected, "intel-rapl:0:0").nested);
    assert!(!meter(&selected, "intel-rapl:1").nested);
    assert!(has_caveat(&selected, "no-package-meter"));
    let reason = why(candidate(&selected, SourceKind::Powercap), "intel-rapl:0");
    assert!(reason.contains("reads 0"), "{reason}");
}

#[test]
fn firmware_limits_narrow_what_is_believed() {
    let tree = Tree::client();
    tree.write(
        "/sys/class/powercap/intel-rapl:0/constraint_0_max_power_uw",
        65_000_000,
    );
    tree.write(
        "/sys/class/powercap/intel-rapl:0/constraint_1_max_power_uw",
        0,
    );
    let found = eprof::source::sensors::powercap::discover(&tree.root(), &Cpus::read(&tree.root()));
    let watts = |i: usize| found.found[i].0.plausible.0;
    assert!((watts(0) - 195.0).abs() < 1e-9);
    assert!((watts(1) - 1_000.0).abs() < 1e-9);
}

#[test]
fn files_that_are_no_counters_are_unusable_with_a_reason() {
    let tree = Tree::client();
    std::fs::remove_file(tree.counter("intel-rapl:0")).unwrap();
    tree.directory("/sys/class/powercap/intel-rapl:0/energy_uj");
    std::fs::remove_file(tree.counter("intel-rapl:0:0")).unwrap();
    tree.write("/sys/class/powercap/intel-rapl:0:1/energy_uj", "lots");
    tree.write("/sys/class/powercap/intel-rapl:0:2/name", "flux");
    let _moving = tree.moving(&[("intel-rapl:1", 30.0)]);
    let selected = choose(&tree, PATIENT);
    assert_eq!(names(&selected), ["intel-rapl:1"]);
    let powercap = candidate(&selected, SourceKind::Powercap);
    for (zone, reason) in [
        ("intel-rapl:0", "cannot read"),
        ("intel-rapl:0:0", "is missing"),
        ("intel-rapl:0:1", "does not hold a number"),
        ("intel-rapl:0:2", "flux"),
    ] {
        assert!(
            why(powercap, zone).contains(reason),
            "{zone}: {}",
            why(powercap, zone)
        );
    }
}

#[test]
fn a_meter_only_root_may_read_comes_with_the_line_that_opens_it() {
    if !nix::unistd::geteuid().is_root() {
        skip("needs root, to become somebody else for file access");
        return;
    }
    let tree = Tree::client();
    for directory in [tree.path(), &tree.at("/sys/class/powercap")] {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory, open).unwrap();
    }
    for zone in ["0", "0:0", "0:1", "0:2", "1"] {
        let secret = std::os::unix::fs::PermissionsExt::from_mode(0o400);
        std::fs::set_permissions(tree.counter(&format!("intel-rapl:{zone}")), secret).unwrap();
    }
    let finder = Finder::new(tree.root()).probe(SHORT);
    let nobody = std::thread::spawn(move || {
        // The system call itself changes this thread only.
        // SAFETY: takes three numbers.
        let status = unsafe { libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534) };
        assert_eq!(status, 0);
        finder
            .select(Choice::Kind(SourceKind::Powercap))
            .unwrap_err()
    });
    let error = nobody.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(
        error.to_string().contains("only root may read it"),
        "{error}"
    );
    let hint = error.given_hint().unwrap();
    assert!(hint.contains("cap_dac_read_search"), "{hint}");
    assert!(hint.contains("chgrp eprof"), "for a group only: {hint}");
    assert!(!hint.contains("a+r"), "{hint}");
}
