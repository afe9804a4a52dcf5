//! What `eprof list` and `eprof doctor` write for programs, by its schemas.

use eprof::doctor::{Trials, assess};
use eprof::output::json;
use serde_json::json;

use super::*;
use crate::support::schema::Schema;

/// Every way in which `document` breaks `schema`, with where.
fn errors(schema: &str, document: &impl serde::Serialize) -> Vec<String> {
    Schema::new(schema).errors(&serde_json::to_value(document).unwrap())
}

const NONE: [&str; 0] = [];

/// Trees whose meters cover packages, dies, cores, the machine and nothing,
/// with and without reasons.
fn candidates() -> Vec<Vec<Candidate>> {
    let client = Tree::client();
    client.write("/sys/class/powercap/intel-rapl:0:2/name", "flux");
    let _moving = client.moving(&[("intel-rapl:0", 20.0)]);
    let many = Tree::new();
    many.cpus(2, 2, 2, 1)
        .pmu("power", 9, "0,2,4,6", &INTEL)
        .pmu("power_core", 10, "0-7", &[("energy-core", 1)]);
    let fake = Fake {
        rate: |event: PowerEvent| u64::from(event.cpu) + 1 + event.config,
        opened: Opened::default(),
        refuse_groups: false,
    };
    let battery = battery("Discharging");
    let of = |tree: &Tree| Finder::new(tree.root()).probe(SHORT);
    vec![
        of(&client).candidates(),
        of(&many).opener(Box::new(fake)).candidates(),
        of(&battery).candidates(),
        eprof::source::candidates(&SysRoot::machine()),
    ]
}

#[test]
fn the_list_is_as_its_schema_says() {
    let lists = candidates();
    for list in &lists {
        let document = json::list::document(list);
        assert_eq!(errors(json::list::SCHEMA, &document), NONE, "{document:#?}");
    }
    let meters = || lists.iter().flatten().flat_map(|one| &one.meters);
    for scope in ["Machine", "Package", "Die", "Core"] {
        let found = meters().any(|note| format!("{:?}", note.scope).contains(scope));
        assert!(found, "no meter of a {scope} was checked");
    }
    let wrong = json!({"schema": "eprof-list/1", "sources": [{"kind": "sun"}]});
    assert!(!errors(json::list::SCHEMA, &wrong).is_empty());
}

#[test]
fn the_diagnosis_is_as_its_schema_says() {
    let refused = Trials {
        program: Err("Operation not permitted".into()),
        event: Err("Permission denied".into()),
        cgroup: Err("Read-only file system".into()),
    };
    let tree = Tree::client();
    let spoiled = assess(&tree.root(), &refused, &[]);
    for diagnosis in [spoiled, eprof::doctor::diagnose(&SysRoot::machine())] {
        let document = json::doctor::document(&diagnosis);
        assert_eq!(
            errors(json::doctor::SCHEMA, &document),
            NONE,
            "{document:#?}"
        );
    }
    let wrong = json!({"schema": "eprof-doctor/1", "verdict": "maybe"});
    assert!(!errors(json::doctor::SCHEMA, &wrong).is_empty());
}

/// The schemas list every kind of source, and no other.
/// `EPROF_BLESS=1` writes their lists anew.
#[test]
fn the_schemas_know_every_kind_of_source() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/output");
    let names: Vec<String> = SourceKind::ALL
        .iter()
        .map(|kind| format!("\"{}\"", kind.name()))
        .collect();
    let names = names.join(", ");
    for (file, rest) in [("report.schema.json", ", null"), ("list.schema.json", "")] {
        let path = format!("{directory}/{file}");
        let text = std::fs::read_to_string(&path).unwrap();
        let begin = text.find("\"kind\": { \"enum\": [").unwrap();
        let line = text[begin..].lines().next().unwrap();
        let wanted = format!("\"kind\": {{ \"enum\": [{names}{rest}] }},");
        if std::env::var_os("EPROF_BLESS").is_some_and(|value| value == "1") {
            std::fs::write(&path, text.replacen(line, &wanted, 1)).unwrap();
        } else {
            assert_eq!(
                line, wanted,
                "{file} lists other kinds of sources than SourceKind::ALL; EPROF_BLESS=1 corrects it"
            );
        }
    }
}
