//! hwmon, battery and model: the sources of last resort.

use clap::ValueEnum;

use super::*;

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
    assert_eq!(grace.update_period.0, 50_000_000);
    assert!(matches!(grace.quantity, Quantity::Power { .. }));
    assert!(has_caveat(&selected, "package-without-meter"));
    let hwmon = candidate(&selected, SourceKind::Hwmon);
    assert!(why(hwmon, "hwmon/nvme/power1_input").contains("does not know"));
}

pub(crate) fn battery(status: &str) -> Tree {
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
        Choice::from_str("hwmon", false).unwrap(),
        Choice::Kind(SourceKind::Hwmon)
    );
    assert!(Choice::from_str("cpu", false).is_err());
}
