//! Arbitrary trees: nothing panics, and nothing is counted twice.

use super::*;

fn files() -> Vec<&'static str> {
    vec![
        "/sys/devices/system/cpu/online",
        "/sys/devices/system/cpu/cpu0/topology/physical_package_id",
        "/sys/devices/system/cpu/cpu1/topology/die_id",
        "/sys/devices/system/cpu/cpu0/cpu_capacity",
        "/sys/devices/cpu_core/cpus",
        "/sys/devices/cpu_atom/cpus",
        "/sys/bus/event_source/devices/power/type",
        "/sys/bus/event_source/devices/power/cpumask",
        "/sys/bus/event_source/devices/power/format/event",
        "/sys/bus/event_source/devices/power/events/energy-pkg",
        "/sys/bus/event_source/devices/power/events/energy-pkg.scale",
        "/sys/bus/event_source/devices/power/events/energy-pkg.unit",
        "/sys/class/powercap/intel-rapl:0/name",
        "/sys/class/powercap/intel-rapl:0/energy_uj",
        "/sys/class/powercap/intel-rapl:0/max_energy_range_uj",
        "/sys/class/powercap/intel-rapl:0/constraint_0_max_power_uw",
        "/sys/class/powercap/intel-rapl:0:0/name",
        "/sys/class/hwmon/hwmon0/name",
        "/sys/class/hwmon/hwmon0/power1_average",
        "/sys/class/hwmon/hwmon0/power1_average_interval",
        "/sys/class/hwmon/hwmon0/power1_label",
        "/sys/class/power_supply/BAT0/type",
        "/sys/class/power_supply/BAT0/status",
        "/sys/class/power_supply/BAT0/energy_now",
        "/sys/class/power_supply/BAT0/voltage_now",
        "/proc/cpuinfo",
        "/proc/stat",
        "/proc/self/status",
        "/proc/sys/kernel/osrelease",
        "/proc/sys/kernel/perf_event_paranoid",
        "/sys/kernel/security/lockdown",
        "/dev/cpu/0/msr",
    ]
}

fn garbage() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "[-0-9,:=x.eE+]{0,24}".prop_map(String::into_bytes),
        any::<u64>().prop_map(|number| number.to_string().into_bytes()),
        Just(b"0-18446744073709551615".to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn garbage_below_the_root_never_panics_and_always_leaves_a_source(
        spoiled in prop::collection::btree_map(prop::sample::select(files()), garbage(), 1..6),
    ) {
        let tree = battery("Discharging");
        tree.cpus(1, 2, 1, 1)
            .zone("intel-rapl:0", "package-0", 3, 100)
            .zone("intel-rapl:0:0", "core", 3, 100)
            .pmu("power", 9, "0", &INTEL)
            .write("/sys/class/hwmon/hwmon0/name", "fam15h_power")
            .write("/sys/class/hwmon/hwmon0/power1_average", 5);
        for (path, bytes) in &spoiled {
            tree.write_bytes(path, bytes);
        }
        let hurried = Probe { longest: Duration::ZERO, step: Duration::ZERO };
        let fake = Fake {
            rate: |event: PowerEvent| event.config,
            opened: Opened::default(),
            refuse_groups: false,
        };
        let finder = Finder::new(tree.root()).probe(hurried).opener(Box::new(fake));
        let mut selected = finder.select(Choice::Auto).unwrap();
        let _ = selected.source.read();
        let list = Finder::new(tree.root()).probe(hurried).candidates();
        let _ = eprof::output::text::meters::render(&list);
        let trials = eprof::doctor::Trials {
            program: Ok(()),
            event: Err("x".into()),
            cgroup: Err("x".into()),
        };
        let diagnosis = eprof::doctor::assess(&tree.root(), &trials, &list);
        let _ = eprof::output::text::doctor::render(&diagnosis);
    }

    #[test]
    fn cpu_groups_are_a_partition_that_separates_all_meters(
        packages in 1u32..4,
        dies in 1u32..3,
        cores in 1u32..4,
        threads in 1u32..3,
        per_core in any::<bool>(),
    ) {
        let tree = Tree::new();
        tree.cpus(packages, dies, cores, threads);
        let per_package = dies * cores * threads;
        let firsts = |step: u32| -> String {
            let all = (0..packages * per_package).step_by(step as usize);
            all.map(|cpu| cpu.to_string()).collect::<Vec<_>>().join(",")
        };
        tree.pmu("power", 9, &firsts(per_package / dies), &INTEL);
        if per_core {
            tree.pmu("power_core", 10, &firsts(threads), &[("energy-core", 1)]);
        }
        let fake = Fake {
            rate: |event: PowerEvent| u64::from(event.cpu) + 1 + event.config,
            opened: Opened::default(),
            refuse_groups: false,
        };
        let quick = Probe { longest: PATIENT.longest, step: Duration::ZERO };
        let finder = Finder::new(tree.root()).probe(quick).opener(Box::new(fake));
        let selected = finder.select(Choice::Auto).unwrap();
        let mut all: Vec<u32> = selected.cpu_groups.iter().flat_map(|group| group.cpus.clone()).collect();
        all.sort_unstable();
        prop_assert_eq!(&all, &Cpus::read(&tree.root()).numbers());
        for meter in selected.source.meters() {
            for group in &selected.cpu_groups {
                let inside = group.cpus.iter().filter(|cpu| meter.cpus.contains(cpu)).count();
                prop_assert!(inside == 0 || inside == group.cpus.len());
            }
        }
        let expected = if per_core { packages * dies * cores } else { packages * dies };
        prop_assert_eq!(selected.cpu_groups.len(), expected as usize);
        // What adds up never covers a CPU twice in one domain.
        for cpu in all {
            let counted = selected.source.meters().iter().filter(|meter| {
                !meter.nested && meter.domain == Domain::Package && meter.cpus.contains(&cpu)
            });
            prop_assert_eq!(counted.count(), 1);
        }
    }
}
