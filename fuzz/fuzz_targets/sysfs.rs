//! Trees of `/sys` and `/proc`: whatever is in them, there is a source, its groups
//! are a partition of the CPUs, and no CPU's energy is counted twice.

#![no_main]

#[path = "../../tests/support/sysfs.rs"]
mod sysfs;

use std::io::Result as IoResult;
use std::time::Duration;

use arbitrary::Arbitrary;
use eprof::doctor::{Trials, assess};
use eprof::host::Cpus;
use eprof::measurement::Domain;
use eprof::output::text;
use eprof::source::selection::select::Finder;
use eprof::source::sensors::perf_event::{CounterGroup, Opener, PowerEvent};
use eprof::source::{Choice, Probe};
use eprof_fuzz::limits;
use libfuzzer_sys::fuzz_target;
use sysfs::Tree;

/// What may be there, right or spoiled.
const PATHS: [&str; 48] = [
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu/cpu0/topology/physical_package_id",
    "/sys/devices/system/cpu/cpu0/topology/die_id",
    "/sys/devices/system/cpu/cpu0/topology/core_id",
    "/sys/devices/system/cpu/cpu1/topology/physical_package_id",
    "/sys/devices/system/cpu/cpu1/topology/die_id",
    "/sys/devices/system/cpu/cpu0/cpu_capacity",
    "/sys/devices/system/cpu/cpu1/cpu_capacity",
    "/sys/devices/cpu_core/cpus",
    "/sys/devices/cpu_atom/cpus",
    "/sys/bus/event_source/devices/power/type",
    "/sys/bus/event_source/devices/power/cpumask",
    "/sys/bus/event_source/devices/power/format/event",
    "/sys/bus/event_source/devices/power/events/energy-pkg",
    "/sys/bus/event_source/devices/power/events/energy-pkg.scale",
    "/sys/bus/event_source/devices/power/events/energy-pkg.unit",
    "/sys/bus/event_source/devices/power/events/energy-cores",
    "/sys/bus/event_source/devices/power_core/type",
    "/sys/bus/event_source/devices/power_core/cpumask",
    "/sys/bus/event_source/devices/power_core/events/energy-core",
    "/sys/class/powercap/intel-rapl:0/name",
    "/sys/class/powercap/intel-rapl:0/energy_uj",
    "/sys/class/powercap/intel-rapl:0/max_energy_range_uj",
    "/sys/class/powercap/intel-rapl:0/constraint_0_max_power_uw",
    "/sys/class/powercap/intel-rapl:0:0/name",
    "/sys/class/powercap/intel-rapl:0:0/energy_uj",
    "/sys/class/powercap/intel-rapl:1/name",
    "/sys/class/powercap/intel-rapl:1/energy_uj",
    "/sys/class/powercap/intel-rapl:1/max_energy_range_uj",
    "/sys/class/powercap/intel-rapl-mmio:0/name",
    "/sys/class/powercap/intel-rapl-mmio:0/energy_uj",
    "/sys/class/hwmon/hwmon0/name",
    "/sys/class/hwmon/hwmon0/power1_average",
    "/sys/class/hwmon/hwmon0/power1_average_interval",
    "/sys/class/hwmon/hwmon0/power1_label",
    "/sys/class/hwmon/hwmon0/power1_oem_info",
    "/sys/class/hwmon/hwmon0/energy1_input",
    "/sys/class/hwmon/hwmon0/energy1_label",
    "/sys/class/power_supply/BAT0/type",
    "/sys/class/power_supply/BAT0/status",
    "/sys/class/power_supply/BAT0/energy_now",
    "/sys/class/power_supply/BAT0/charge_now",
    "/sys/class/power_supply/BAT0/voltage_now",
    "/proc/cpuinfo",
    "/proc/stat",
    "/proc/self/status",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/perf_event_paranoid",
];

/// Words that mean something somewhere.
const WORDS: [&str; 19] = [
    "package-0",
    "package-1",
    "package-0-die-1",
    "core",
    "uncore",
    "dram",
    "psys",
    "amd_energy",
    "fam15h_power",
    "power_meter",
    "Grace Power Socket 1",
    "Module Power Socket 0",
    "Discharging",
    "Battery",
    "event=0x02",
    "config:0-7",
    "Joules",
    "2.3283064365386962890625e-10",
    "0-18446744073709551615",
];

/// What is at a path.
#[derive(Arbitrary, Debug)]
enum Content {
    Nothing,
    Directory,
    Number(u64),
    Small(u8),
    Signed(i64),
    Scale(u16, i8),
    List(Vec<(u8, u8)>),
    Word(u8),
    Bytes(Vec<u8>),
    LinkTo(u8),
}

/// A machine, and what is different about it.
#[derive(Arbitrary, Debug)]
struct Machine {
    begin: u8,
    topology: [u8; 4],
    /// What each event of the PMU counts by.
    rates: [u16; 4],
    spoiled: Vec<(u8, Content)>,
}

fuzz_target!(|machine: Machine| limits::bounded(|| check(&machine)));

fn check(machine: &Machine) {
    let tree = begin(machine);
    for (path, content) in machine.spoiled.iter().take(24) {
        spoil(&tree, PATHS[usize::from(*path) % PATHS.len()], content);
    }
    let hurried = Probe {
        longest: Duration::ZERO,
        step: Duration::ZERO,
    };
    let finder = || Finder::new(tree.root()).probe(hurried);
    let counting = Counting(machine.rates);
    let mut selected = finder()
        .opener(Box::new(counting))
        .select(Choice::Auto)
        .unwrap();
    if let Ok(readings) = selected.source.read() {
        let meters = selected.source.meters();
        assert!(readings.len() <= meters.len());
        for reading in readings {
            assert!(meters.iter().any(|meter| meter.id == reading.meter));
        }
    }
    let cpus = Cpus::read(&tree.root()).numbers();
    let groups = selected.cpu_groups.iter();
    let mut grouped: Vec<u32> = groups.flat_map(|group| group.cpus.clone()).collect();
    grouped.sort_unstable();
    assert_eq!(grouped, cpus);
    let meters = selected.source.meters();
    for meter in meters {
        for group in &selected.cpu_groups {
            let inside = group.cpus.iter().filter(|cpu| meter.cpus.contains(cpu));
            let inside = inside.count();
            assert!(
                inside == 0 || inside == group.cpus.len(),
                "{meter:?} {group:?}"
            );
        }
    }
    for cpu in cpus {
        let once = meters.iter().filter(|meter| {
            !meter.nested && meter.domain == Domain::Package && meter.cpus.contains(&cpu)
        });
        assert!(once.count() <= 1, "{meters:?}");
    }
    assert_eq!(
        selected.candidates.iter().filter(|one| one.chosen).count(),
        1
    );
    let list = finder().candidates();
    let trials = Trials {
        program: Ok(()),
        event: Err("x".into()),
        cgroup: Err("x".into()),
    };
    let shown =
        text::meters::render(&list) + &text::doctor::render(&assess(&tree.root(), &trials, &list));
    let steers = |c: char| c.is_control() && c != '\n';
    assert!(!shown.contains(steers), "{shown:?}");
}

/// One of some machines that there are.
fn begin(machine: &Machine) -> Tree {
    let [packages, dies, cores, threads] = machine.topology.map(|number| u32::from(number % 3) + 1);
    let tree = match machine.begin % 6 {
        0 => return Tree::client(),
        1 => return Tree::server(),
        _ => Tree::new(),
    };
    if machine.begin % 6 != 2 {
        tree.cpus(packages, dies, cores, threads);
    }
    match machine.begin % 6 {
        3 => {
            tree.pmu(
                "power",
                9,
                "0",
                &[("energy-cores", 1), ("energy-pkg", 2), ("energy-ram", 3)],
            );
        }
        4 => {
            tree.write("/sys/class/hwmon/hwmon0/name", "fam15h_power")
                .write("/sys/class/hwmon/hwmon0/power1_average", 5_000_000);
        }
        5 => {
            let base = "/sys/class/power_supply/BAT0";
            tree.write(&format!("{base}/type"), "Battery")
                .write(&format!("{base}/status"), "Discharging")
                .write(&format!("{base}/charge_now"), 3_000_000)
                .write(&format!("{base}/voltage_now"), 12_000_000);
        }
        _ => {}
    }
    tree
}

/// Puts something else at a path, as far as that is possible.
fn spoil(tree: &Tree, path: &str, content: &Content) {
    let at = tree.at(path);
    let _ = std::fs::remove_file(&at);
    // What should be a directory may have become something else before.
    let Some(parent) = at.parent() else { return };
    if std::fs::create_dir_all(parent).is_err() {
        return;
    }
    let text = match content {
        Content::Nothing => return,
        Content::Directory => {
            let _ = std::fs::create_dir(&at);
            return;
        }
        Content::LinkTo(path) => {
            let to = tree.at(PATHS[usize::from(*path) % PATHS.len()]);
            let _ = std::os::unix::fs::symlink(to, &at);
            return;
        }
        Content::Number(number) => number.to_string().into_bytes(),
        Content::Small(number) => number.to_string().into_bytes(),
        Content::Signed(number) => number.to_string().into_bytes(),
        Content::Scale(digits, exponent) => format!("{digits}e{exponent}").into_bytes(),
        Content::List(ranges) => {
            let ranges = ranges.iter().map(|(from, to)| format!("{from}-{to}"));
            ranges.collect::<Vec<_>>().join(",").into_bytes()
        }
        Content::Word(number) => WORDS[usize::from(*number) % WORDS.len()].into(),
        Content::Bytes(bytes) => bytes.clone(),
    };
    let _ = std::fs::write(&at, text);
}

/// Stands in for the kernel: an event advances with every read, by its rate.
struct Counting([u16; 4]);

struct Group(Vec<(u64, u64)>);

impl CounterGroup for Group {
    fn read(&mut self) -> IoResult<Vec<u64>> {
        let step = |(value, rate): &mut (u64, u64)| {
            *value = value.wrapping_add(*rate);
            *value
        };
        Ok(self.0.iter_mut().map(step).collect())
    }
}

impl Opener for Counting {
    fn open(&mut self, events: &[PowerEvent]) -> IoResult<Box<dyn CounterGroup>> {
        let rate = |event: &PowerEvent| (0, self.0[event.config as usize % 4].into());
        Ok(Box::new(Group(events.iter().map(rate).collect())))
    }
}
