#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

use std::fs;
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::kernel::Inode;

/// A mapping of the file at `path`, as of now, by its inode.
fn mapping(path: &Path) -> Mapping {
    let metadata = fs::metadata(path).unwrap();
    Mapping {
        pid: std::process::id(),
        at: crate::clock::now(),
        // Nothing of this process: the file is found by its path.
        start: 0x1000,
        end: 0x2000,
        offset: 0,
        path: path.to_str().unwrap().to_owned(),
        build_id: None,
        inode: Some(Inode {
            device: metadata.dev(),
            number: metadata.ino(),
            generation: 0,
        }),
        fresh: false,
    }
}

/// What can be read of `id` now.
fn content(objects: &Objects, id: ObjectId) -> Option<String> {
    // Whoever is given the file shares its position with others.
    let mut file = objects.open(id)?;
    file.rewind().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    Some(text)
}

fn opened(objects: &Objects) -> usize {
    let held = |entry: &&Entry| matches!(entry.backing, Backing::Held(..));
    objects.entries.iter().filter(held).count()
}

/// Writes `name` to a file of that name.
fn file(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, name).unwrap();
    path
}

#[test]
fn no_more_files_are_held_than_allowed_and_the_others_are_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    // No limit of open files is raised when it allows for more than 8192 in
    // any case.
    let mut objects = Objects::holding(MOST_HELD);
    let names: Vec<String> = (0..MOST_HELD + 3).map(|n| n.to_string()).collect();
    let allowed = raised_limit();
    let names = &names[..names.len().min(allowed + 3)];
    objects.capacity = allowed;
    let ids: Vec<_> = names
        .iter()
        .map(|name| objects.intern(&mapping(&file(dir.path(), name))).unwrap())
        .collect();
    assert_eq!(opened(&objects), allowed);
    assert_eq!(objects.held, allowed);
    for (&id, name) in ids.iter().zip(names) {
        assert_eq!(content(&objects, id).as_ref(), Some(name));
    }
    // The first ones were closed, and are not believed any more when they
    // are gone or changed.
    fs::remove_file(dir.path().join(&names[0])).unwrap();
    fs::write(dir.path().join(&names[1]), "something else").unwrap();
    assert_eq!(content(&objects, ids[0]), None);
    assert_eq!(content(&objects, ids[1]), None);
    assert_eq!(content(&objects, ids[2]).as_ref(), Some(&names[2]));
    // The last ones are open, deleted or not.
    let last = names.len() - 1;
    fs::remove_file(dir.path().join(&names[last])).unwrap();
    assert_eq!(content(&objects, ids[last]).as_ref(), Some(&names[last]));
}

#[test]
fn an_inode_number_that_is_used_again_is_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "first");
    let before = mapping(&path);
    // The same number and path, but changed after it was mapped.
    while wall_clock(before.at)
        >= Fingerprint::of(&File::open(&path).unwrap())
            .unwrap()
            .changed
    {
        fs::write(&path, "second").unwrap();
    }
    assert_eq!(mapping(&path).inode, before.inode);
    let mut objects = Objects::default();
    let id = objects.intern(&before).unwrap();
    assert_eq!(content(&objects, id), None);
}

#[test]
fn two_files_without_build_id_at_one_path_have_different_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut objects = Objects::default();
    let path = file(dir.path(), "first");
    let first = objects.intern(&mapping(&path)).unwrap();
    let second = file(dir.path(), "second");
    fs::rename(second, &path).unwrap();
    let second = objects.intern(&mapping(&path)).unwrap();
    assert_ne!(first, second);
    assert_eq!(content(&objects, first).unwrap(), "first");
    assert_eq!(content(&objects, second).unwrap(), "second");
    assert_eq!(objects.list().len(), 2);
    assert_ne!(objects.list()[0], objects.list()[1]);
}

#[test]
fn a_file_by_build_id_and_by_inode_is_one_object() {
    let program = std::env::current_exe().unwrap();
    let by_inode = mapping(&program);
    let file = File::open(&program).unwrap();
    let Some(id) = Fingerprint::of(&file).unwrap().build_id else {
        return crate::skip::absent("the test program has no build id");
    };
    let by_build_id = Mapping {
        build_id: Some(id.clone()),
        inode: None,
        ..by_inode.clone()
    };
    for order in [[&by_inode, &by_build_id], [&by_build_id, &by_inode]] {
        let mut objects = Objects::default();
        let ids = order.map(|mapping| objects.intern(mapping).unwrap());
        assert_eq!(ids[0], ids[1]);
        assert_eq!(objects.list().len(), 1);
        assert_eq!(objects.list()[0].build_id.as_ref(), Some(&id));
    }
}

#[test]
fn a_fifo_at_the_path_neither_blocks_nor_counts_as_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "program");
    let was = mapping(&path);
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut objects = Objects::default();
    let id = objects.intern(&was).unwrap();
    assert_eq!(content(&objects, id), None);
}

#[test]
fn memory_without_a_file_is_no_object() {
    let dir = tempfile::tempdir().unwrap();
    let mut objects = Objects::default();
    let real = mapping(&file(dir.path(), "program"));
    for name in [
        "//anon",
        "[heap]",
        "[stack]",
        "/SYSV00000000 (deleted)",
        "/dev/zero (deleted)",
        "",
    ] {
        let mapping = Mapping {
            path: name.to_owned(),
            ..real.clone()
        };
        assert_eq!(objects.intern(&mapping), None, "{name}");
    }
    assert!(objects.list().is_empty());
}
