//! The tree is what ARCHITECTURE.md says: every import is in its table, none
//! runs up or in a ring, and the paths that documents name are there.
//!
//! Reads source files as text (through `syn`), and calls nothing of eprof.

mod documents;
mod graph;
mod imports;
mod table;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use imports::Imports;
use table::{Row, Side};

/// The directory of the workspace.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let rows = table::rows(&text);
    assert!(rows.len() > 20, "the table of rooms was not found");
    rows
}

fn imports() -> &'static Imports {
    static IMPORTS: OnceLock<Imports> = OnceLock::new();
    IMPORTS.get_or_init(|| {
        let imports = Imports::read(&repository().join("eprof/src"));
        assert!(imports.len() > 300, "the sources were not found");
        imports
    })
}

#[test]
fn each_room_has_a_row_and_each_row_a_room() {
    let listed: Vec<String> = rows().iter().map(|row| row.room.clone()).collect();
    let distinct: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), distinct.len(), "a room has two rows");
    assert_eq!(distinct, imports().rooms());
}

#[test]
fn the_imports_of_each_room_are_those_of_its_row() {
    let imports = imports();
    let mut wrong = Vec::new();
    for row in rows() {
        let found = imports.of_room(&row.room);
        if row.imports_all {
            continue;
        }
        for room in found.difference(&row.imports) {
            let example = imports.example(&row.room, room);
            wrong.push(format!("{} imports {room} ({example})", row.room));
        }
        for room in row.imports.difference(&found) {
            wrong.push(format!(
                "{} does not import {room}, as its row says",
                row.room
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_import_runs_up() {
    let rows = rows();
    for (at, row) in rows.iter().enumerate() {
        for room in &row.imports {
            let mut above = rows.iter().take(at).map(|above| above.room.as_str());
            let above = room == imports::COMMON || above.any(|above| above == room);
            assert!(above, "{} imports {room}, which is not above it", row.room);
        }
    }
}

#[test]
fn the_analysis_imports_nothing_that_captures() {
    let rows = rows();
    let on = |side: Side| {
        let rows = rows.iter().filter(move |row| row.side == side);
        rows.map(|row| row.room.clone()).collect::<BTreeSet<_>>()
    };
    let (mut ground, analysis) = (on(Side::Ground), on(Side::Analysis));
    assert!(!ground.is_empty() && !analysis.is_empty());
    ground.insert(imports::COMMON.to_owned());
    for row in &rows {
        let allowed: BTreeSet<String> = match row.side {
            Side::Ground => ground.clone(),
            Side::Analysis => ground.union(&analysis).cloned().collect(),
            Side::Capture | Side::Commands => continue,
        };
        let foreign: Vec<_> = row.imports.difference(&allowed).collect();
        assert!(foreign.is_empty(), "{} imports {foreign:?}", row.room);
    }
}

#[test]
fn no_files_import_each_other_in_a_ring() {
    let rings = graph::rings(imports().files());
    let rings: Vec<String> = rings.iter().map(|ring| ring.join(" ↔ ")).collect();
    assert!(rings.is_empty(), "{}", rings.join("\n"));
}

#[test]
fn every_path_that_a_document_names_exists() {
    let (named, missing) = documents::paths(&repository());
    assert!(named > 100, "only {named} paths were found in documents");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_test_that_a_document_names_exists() {
    let (named, missing) = documents::tests(&repository());
    assert!(named > 10, "only {named} tests were found in documents");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
