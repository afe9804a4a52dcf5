//! This machine, and the listing.

use crate::*;

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
