//! The table of rooms in ARCHITECTURE.md.

use std::collections::BTreeSet;

/// Where a room stands in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ground,
    Analysis,
    Capture,
    Commands,
}

/// One room of `eprof/src`.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) room: String,
    pub(crate) side: Side,
    pub(crate) imports: BTreeSet<String>,
    /// It may import every room above it.
    pub(crate) imports_all: bool,
}

/// Rows look like this; rows of other crates have no side:
/// ``| `eprof/src/unit.rs` | ground | knows | does not know | imports |``
pub(crate) fn rows(architecture: &str) -> Vec<Row> {
    architecture.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line
        .trim()
        .trim_matches('|')
        .split('|')
        .map(str::trim)
        .collect();
    let [room, side, _, _, imports] = cells.as_slice() else {
        return None;
    };
    let room = room.trim_matches('`').strip_prefix("eprof/src/")?;
    let side = match *side {
        "ground" => Side::Ground,
        "analysis" => Side::Analysis,
        "capture" => Side::Capture,
        "commands" => Side::Commands,
        other => panic!("{room} is on no known side: {other}"),
    };
    let imports_all = *imports == "all";
    let imports = imports.split(',').map(|room| room.trim().to_owned());
    Some(Row {
        room: room
            .trim_end_matches(".rs")
            .trim_end_matches('/')
            .to_owned(),
        side,
        imports: imports
            .filter(|room| !room.is_empty() && !imports_all)
            .collect(),
        imports_all,
    })
}
