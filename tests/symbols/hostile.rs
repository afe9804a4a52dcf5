//! Programs and debug files with anything in them.

use std::fs;

use eprof::measurement::{Frame, Object, ObjectId};
use eprof::recording::{Catalog, Header};
use eprof::symbol::late;

use super::debug_files::{Stripped, WORK};
use super::target::{compile, possible, search};

/// Numbers without a pattern (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

#[test]
fn a_broken_program_costs_names_and_nothing_else() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(stripped) = Stripped::new(dir.path(), "work", WORK) else {
        return;
    };
    // The same again, with its debug information inside, so with the same id.
    let path = dir.path().join("broken");
    let id = format!("-Wl,--build-id=0x{}", stripped.build_id);
    compile(&path, WORK, "cc", &[&id]);
    let sound = fs::read(&path).unwrap();
    let hex = |at: usize| u8::from_str_radix(&stripped.build_id[at..at + 2], 16).unwrap();
    let mut catalog = Catalog::new(Header::default());
    catalog.objects.push(Object {
        path: path.to_str().unwrap().to_owned(),
        build_id: Some((0..stripped.build_id.len()).step_by(2).map(hex).collect()),
    });
    catalog.frames = (0..0x2000_u64)
        .step_by(16)
        .map(|offset| Frame::User {
            object: ObjectId(0),
            offset,
            returns: false,
        })
        .collect();
    let search = search();
    let found = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let resolution = late(&catalog, &search, true, &mut |_| {});
        assert!(resolution.symbols.len() <= catalog.frames.len());
        resolution.symbols.len()
    };
    let all = found(&sound);
    assert!(all > 10, "{all}");
    let mut dice = Dice(1);
    let mut counts = Vec::new();
    for _ in 0..150 {
        let mut bytes = sound.clone();
        for _ in 0..=dice.below(60) {
            let at = dice.below(bytes.len());
            bytes[at] = dice.below(256) as u8;
        }
        if dice.below(4) == 0 {
            bytes.truncate(dice.below(bytes.len()));
        }
        counts.push(found(&bytes));
    }
    // Some were broken where it matters, and some were not.
    assert!(counts.iter().any(|&count| count < all), "{counts:?}");
    assert!(counts.iter().any(|&count| count >= all / 2), "{counts:?}");
}
