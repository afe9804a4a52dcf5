//! Energy sources on fake trees: what is found, what is believed, what adds
//! up, and what is said about the rest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "support/sysfs.rs"]
mod sysfs;

use std::collections::BTreeSet;
use std::io::Result as IoResult;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eprof::error::ErrorKind;
use eprof::host::{CoreType, Cpus, SysRoot};
use eprof::source::perf_power::PowerEvent;
use eprof::source::perf_source::{CounterGroup, Opener};
use eprof::source::select::Finder;
use eprof::source::{
    Candidate, Choice, Domain, Meter, Probe, Provenance, Quantity, Scope, Selected, SourceKind,
};
use proptest::prelude::*;
use sysfs::Tree;

/// Ends early where everything moves; long enough that a starved machine does
/// not matter.
const PATIENT: Probe = Probe {
    longest: Duration::from_secs(20),
    step: Duration::from_millis(2),
};

/// For trees in which something does not move, which is waited for in vain.
const SHORT: Probe = Probe {
    longest: Duration::from_millis(400),
    step: Duration::from_millis(2),
};

fn choose(tree: &Tree, probe: Probe) -> Selected {
    let finder = Finder::new(tree.root()).probe(probe);
    finder.select(Choice::Auto).unwrap()
}

fn meter<'a>(selected: &'a Selected, name: &str) -> &'a Meter {
    let found = selected
        .source
        .meters()
        .iter()
        .find(|meter| meter.name == name);
    found.unwrap_or_else(|| panic!("{name} is not among {selected:?}"))
}

fn names(selected: &Selected) -> Vec<&str> {
    let meters = selected.source.meters().iter();
    meters.map(|meter| meter.name.as_str()).collect()
}

fn candidate(selected: &Selected, kind: SourceKind) -> &Candidate {
    let found = selected.candidates.iter().find(|one| one.kind == kind);
    found.expect("the kind was looked at")
}

fn why<'a>(candidate: &'a Candidate, name: &str) -> &'a str {
    let note = candidate.meters.iter().find(|note| note.name == name);
    let note = note.unwrap_or_else(|| panic!("{name} is not among {candidate:?}"));
    note.why.as_deref().unwrap_or("")
}

fn has_caveat(selected: &Selected, code: &str) -> bool {
    selected.caveats.iter().any(|caveat| caveat.code == code)
}

// ---------------------------------------------------------------- powercap

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
    assert_eq!(selected.zones.len(), 1);
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
fn two_sockets_are_two_zones_and_all_their_meters_add() {
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
    let zones: Vec<_> = selected
        .zones
        .iter()
        .map(|zone| zone.cpus.clone())
        .collect();
    assert_eq!(zones, [vec![0, 1, 2, 3], vec![4, 5, 6, 7]]);
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
    assert_eq!(selected.zones.len(), 2);
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
    let found = eprof::source::powercap::discover(&tree.root(), &Cpus::read(&tree.root()));
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
        eprintln!("SKIPPED: needs root, to become somebody else for file access");
        assert!(std::env::var_os("EPROF_REQUIRE").is_none());
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
    // The file system identity is one thread's own.
    let nobody = std::thread::spawn(move || {
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65_534));
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
    assert!(error.hint().unwrap().contains("udev/rules.d"), "{error:?}");
}

// -------------------------------------------------------------------- perf

/// Stands in for the kernel: event `config` of PMU `t` on CPU `c` advances by
/// `rate(t, config, c)` with every read.
struct Fake<F> {
    rate: F,
    opened: Arc<Mutex<Vec<Vec<PowerEvent>>>>,
    refuse_groups: bool,
}

struct FakeGroup {
    values: Vec<(u64, u64)>,
}

impl CounterGroup for FakeGroup {
    fn read(&mut self) -> IoResult<Vec<u64>> {
        let step = |(value, rate): &mut (u64, u64)| {
            *value += *rate;
            *value
        };
        Ok(self.values.iter_mut().map(step).collect())
    }
}

impl<F: Fn(PowerEvent) -> u64 + Send> Opener for Fake<F> {
    fn open(&mut self, events: &[PowerEvent]) -> IoResult<Box<dyn CounterGroup>> {
        if self.refuse_groups && events.len() > 1 {
            return Err(std::io::Error::from_raw_os_error(22));
        }
        self.opened.lock().unwrap().push(events.to_vec());
        let values = events
            .iter()
            .map(|event| (0, (self.rate)(*event)))
            .collect();
        Ok(Box::new(FakeGroup { values }))
    }
}

type Opened = Arc<Mutex<Vec<Vec<PowerEvent>>>>;

fn perf(tree: &Tree, rate: impl Fn(PowerEvent) -> u64 + Send + 'static) -> (Selected, Opened) {
    let opened = Opened::default();
    let fake = Fake {
        rate,
        opened: Arc::clone(&opened),
        refuse_groups: false,
    };
    let finder = Finder::new(tree.root()).probe(SHORT).opener(Box::new(fake));
    (finder.select(Choice::Auto).unwrap(), opened)
}

const INTEL: [(&str, u32); 3] = [("energy-cores", 1), ("energy-pkg", 2), ("energy-ram", 3)];

#[test]
fn perf_opens_one_group_per_cpu_of_the_mask() {
    let tree = Tree::new();
    tree.cpus(2, 1, 2, 1).pmu("power", 23, "1,3", &INTEL);
    let (selected, opened) = perf(&tree, |event| u64::from(event.cpu) * 1_000 + event.config);
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
    let (mut selected, _) = perf(&tree, rate);
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
    assert!(
        note.remedy.as_ref().unwrap().contains("cap_perfmon"),
        "{note:?}"
    );
}

#[test]
fn amd_has_a_package_and_every_core() {
    let tree = Tree::new();
    tree.cpus(1, 1, 4, 2)
        .pmu("power", 23, "0", &[("energy-pkg", 2)])
        .pmu("power_core", 24, "0,2,4,6", &[("energy-core", 1)]);
    // Core 3 sleeps so deeply that its counter stands still.
    let (selected, _) = perf(&tree, |event| if event.cpu == 6 { 0 } else { 7 });
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
    let zones: Vec<_> = selected
        .zones
        .iter()
        .map(|zone| zone.cpus.clone())
        .collect();
    assert_eq!(zones, [vec![0, 1], vec![2, 3], vec![4, 5], vec![6, 7]]);
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
    let (selected, _) = perf(&tree, |_| 1);
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
    let (selected, _) = perf(&tree, |_| 0);
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
    let (selected, _) = perf(&tree, |_| 5);
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
    let (selected, opened) = perf(&tree, |_| 1);
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

// -------------------------------------------------- hwmon, battery, model

#[test]
fn hwmon_power_of_a_known_driver_is_a_meter() {
    let tree = Tree::new();
    let base = "/sys/class/hwmon";
    tree.cpus(2, 1, 1, 1)
        .write(&format!("{base}/hwmon0/name"), "nvme")
        .write(&format!("{base}/hwmon0/power1_input"), 3_000_000)
        .write(&format!("{base}/hwmon1/name"), "power_meter")
        .write(&format!("{base}/hwmon1/power1_average"), 150_000_000)
        .write(&format!("{base}/hwmon1/power1_average_interval"), 50)
        .write(
            &format!("{base}/hwmon1/power1_oem_info"),
            "Grace Power Socket 1",
        );
    let selected = choose(&tree, PATIENT);
    assert_eq!(selected.kind, SourceKind::Hwmon);
    let grace = meter(&selected, "hwmon/power_meter/Grace Power Socket 1");
    assert_eq!(
        (grace.domain, grace.scope),
        (Domain::Package, Scope::Package(1))
    );
    assert_eq!(grace.latch.0, 50_000_000);
    assert!(matches!(grace.quantity, Quantity::Power { .. }));
    assert!(has_caveat(&selected, "package-without-meter"));
    let hwmon = candidate(&selected, SourceKind::Hwmon);
    assert!(why(hwmon, "hwmon/nvme/power1_input").contains("does not know"));
}

fn battery(status: &str) -> Tree {
    let tree = Tree::new();
    let base = "/sys/class/power_supply";
    tree.cpus(1, 1, 2, 1)
        .write(&format!("{base}/AC/type"), "Mains")
        .write(&format!("{base}/mouse/type"), "Battery")
        .write(&format!("{base}/mouse/scope"), "Device")
        .write(&format!("{base}/mouse/status"), "Discharging")
        .write(&format!("{base}/mouse/energy_now"), 5)
        .write(&format!("{base}/BAT0/type"), "Battery")
        .write(&format!("{base}/BAT0/status"), status)
        .write(&format!("{base}/BAT0/charge_now"), 3_000_000)
        .write(&format!("{base}/BAT0/voltage_now"), 12_000_000);
    tree
}

#[test]
fn a_battery_counts_while_it_discharges() {
    let selected = choose(&battery("Discharging"), SHORT);
    assert_eq!(selected.kind, SourceKind::Battery);
    assert_eq!(names(&selected), ["battery/BAT0"]);
    match selected.source.meters()[0].quantity {
        // 1 µAh at 12 V is 3.6 mC × 12 V = 43.2 mJ.
        Quantity::Falling { unit_uj } => assert!((unit_uj - 43_200.0).abs() < 1e-6),
        other => panic!("{other:?}"),
    }
    assert!(has_caveat(&selected, "coarse-meter"));
}

#[test]
fn a_battery_on_mains_says_nothing() {
    for status in ["Charging", "Full", "Not charging", "???"] {
        let selected = choose(&battery(status), SHORT);
        assert_eq!(selected.kind, SourceKind::Model, "{status}");
        let reason = why(candidate(&selected, SourceKind::Battery), "battery/BAT0");
        assert!(reason.contains("mains"), "{reason}");
    }
}

#[test]
fn without_any_meter_there_is_an_honest_estimate() {
    let tree = Tree::new();
    tree.cpus(1, 1, 2, 2)
        .processor("GenuineIntel", 6, 0x55, "fpu hypervisor");
    let mut selected = choose(&tree, SHORT);
    assert_eq!(names(&selected), ["model/skylake"]);
    assert_eq!(selected.source.meters()[0].cpus, [0, 1, 2, 3]);
    assert_eq!(selected.source.read().unwrap(), []);
    let caveat = selected
        .caveats
        .iter()
        .find(|one| one.code == "estimated")
        .unwrap();
    assert!(
        caveat.sentence.contains("×0.65 to ×1.5"),
        "{}",
        caveat.sentence
    );
    assert!(caveat.sentence.contains("Shares"), "{}", caveat.sentence);
    // All other kinds were looked at, and each says why not.
    assert_eq!(selected.candidates.len(), 5);
    assert!(
        selected
            .candidates
            .iter()
            .take(4)
            .all(|one| one.why.is_some() && !one.usable),
        "{:?}",
        selected.candidates
    );
}

#[test]
fn a_source_asked_for_by_name_is_taken_or_refused() {
    let tree = Tree::new();
    tree.cpus(1, 1, 1, 1);
    let forced = |kind| {
        Finder::new(tree.root())
            .probe(SHORT)
            .select(Choice::Kind(kind))
    };
    assert_eq!(forced(SourceKind::Model).unwrap().kind, SourceKind::Model);
    let error = forced(SourceKind::Powercap).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("powercap"), "{error}");
    assert_eq!(
        "hwmon".parse::<Choice>().unwrap(),
        Choice::Kind(SourceKind::Hwmon)
    );
    assert_eq!(
        "cpu".parse::<Choice>().unwrap_err().kind(),
        ErrorKind::Usage
    );
}

// --------------------------------------------------------------- topology

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

// ------------------------------------------------------------ this machine

#[test]
fn what_perf_counts_as_nothing_is_not_believed_here_either() {
    let selected = eprof::source::select(&SysRoot::machine(), Choice::Auto).unwrap();
    let perf = candidate(&selected, SourceKind::Perf);
    if perf.meters.is_empty() {
        eprintln!("SKIPPED: this machine has no power PMU");
        return;
    }
    for note in &perf.meters {
        // `name/S1` is eprof's own notation; perf adds all sockets.
        let event = note
            .name
            .rsplit_once('/')
            .map(|(event, _)| format!("{event}/"))
            .unwrap();
        let output = std::process::Command::new("perf")
            .args(["stat", "-a", "-x,", "-e", &event, "sleep", "0.5"])
            .output();
        let Ok(output) = output else {
            eprintln!("SKIPPED: there is no perf to compare with");
            assert!(std::env::var_os("EPROF_REQUIRE").is_none());
            return;
        };
        let text = String::from_utf8_lossy(&output.stderr);
        let joules = text
            .lines()
            .find_map(|line| line.split(',').next()?.parse::<f64>().ok());
        let counts = joules.is_some_and(|joules| joules > 0.0);
        assert_eq!(
            note.usable, counts,
            "{event}: perf says {text}, eprof {note:?}"
        );
    }
}

#[test]
fn the_chosen_source_is_the_one_of_the_list() {
    let tree = Tree::client();
    let _moving = tree.moving(&[("intel-rapl:0", 20.0)]);
    let list = Finder::new(tree.root()).probe(SHORT).survey();
    let chosen: Vec<SourceKind> = list
        .iter()
        .filter(|one| one.chosen)
        .map(|one| one.kind)
        .collect();
    assert_eq!(chosen, [SourceKind::Powercap]);
    let text = eprof::source::list::render(&list);
    assert!(text.contains("powercap   chosen\n"), "{text}");
    assert!(text.contains("intel-rapl:0 "), "{text}");
    assert!(text.contains("stands still"), "{text}");
    let document = eprof::source::list::document(&list);
    let json = serde_json::to_value(document).unwrap();
    assert_eq!(json["schema"], "eprof-list/1");
    assert_eq!(json["sources"][1]["meters"][0]["name"], "intel-rapl:0");
}

// -------------------------------------------------------------- properties

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
        let list = Finder::new(tree.root()).probe(hurried).survey();
        let _ = eprof::source::list::render(&list);
        let trials = eprof::host::trial::Trials {
            program: Ok(()),
            event: Err("x".into()),
            cgroup: Err("x".into()),
        };
        let _ = eprof::host::check::assess(&tree.root(), &trials, &list).render();
    }

    #[test]
    fn zones_are_a_partition_that_separates_all_meters(
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
        let mut all: Vec<u32> = selected.zones.iter().flat_map(|zone| zone.cpus.clone()).collect();
        all.sort_unstable();
        prop_assert_eq!(&all, &Cpus::read(&tree.root()).numbers());
        for meter in selected.source.meters() {
            for zone in &selected.zones {
                let inside = zone.cpus.iter().filter(|cpu| meter.cpus.contains(cpu)).count();
                prop_assert!(inside == 0 || inside == zone.cpus.len());
            }
        }
        let expected = if per_core { packages * dies * cores } else { packages * dies };
        prop_assert_eq!(selected.zones.len(), expected as usize);
        // What adds up never covers a CPU twice in one domain.
        for cpu in all {
            let counted = selected.source.meters().iter().filter(|meter| {
                !meter.nested && meter.domain == Domain::Package && meter.cpus.contains(&cpu)
            });
            prop_assert_eq!(counted.count(), 1);
        }
    }
}
