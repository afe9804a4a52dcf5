//! This machine, and the listing.

use super::*;

#[test]
fn what_perf_counts_as_nothing_is_not_believed_here_either() {
    let selected = eprof::source::select(&SysRoot::machine(), Choice::Auto, None).unwrap();
    let perf = candidate(&selected, SourceKind::Perf);
    if perf.meters.is_empty() {
        skip::absent("this machine has no power PMU");
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
            skip("there is no perf to compare with");
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
    let list = Finder::new(tree.root()).probe(SHORT).candidates();
    let chosen: Vec<SourceKind> = list
        .iter()
        .filter(|one| one.chosen)
        .map(|one| one.kind)
        .collect();
    assert_eq!(chosen, [SourceKind::Powercap]);
    let text = eprof::output::text::meters::render(&list);
    assert!(text.contains("powercap   chosen\n"), "{text}");
    assert!(text.contains("intel-rapl:0 "), "{text}");
    assert!(text.contains("stands still"), "{text}");
    let document = eprof::output::json::list::document(&list);
    let json = serde_json::to_value(document).unwrap();
    assert_eq!(json["schema"], "eprof-list/1");
    assert_eq!(json["sources"][1]["meters"][0]["name"], "intel-rapl:0");
}

/// The time stamp counter's PMU stands in for the energy PMUs: it is opened
/// and read by the same calls, and it is known to move.
#[test]
fn the_kernels_pmu_is_opened_and_read_as_a_group() {
    let type_file = "/sys/bus/event_source/devices/msr/type";
    let Ok(number) = std::fs::read_to_string(type_file) else {
        skip::absent("this machine has no msr PMU");
        return;
    };
    let tsc = PowerEvent {
        pmu_type: number.trim().parse().unwrap(),
        config: 0,
        cpu: Cpus::read(&SysRoot::machine()).numbers()[0],
    };
    let mut opener = eprof::source::sensors::perf_event::KernelOpener;
    let mut group = match opener.open(&[tsc, tsc]) {
        Ok(group) => group,
        Err(error) => {
            skip(&format!("CPU-wide perf events are not allowed: {error}"));
            return;
        }
    };
    let before = group.read().unwrap();
    let after = group.read().unwrap();
    assert_eq!((before.len(), after.len()), (2, 2));
    for (before, after) in before.iter().zip(&after) {
        assert!(after > before, "{before} {after}");
    }
    let refused = PowerEvent { cpu: 60_000, ..tsc };
    assert!(opener.open(&[refused]).is_err());
}
