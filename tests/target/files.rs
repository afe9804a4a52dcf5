//! Files that eprof writes belong to the right user, and no link leads astray.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, symlink};
use std::path::Path;

use eprof::error::ErrorKind;
use eprof::launch::output_file::{log, replace};
use eprof::launch::{OutputFile, UserId, writable};

use crate::bench::{open_directory, read, root, set_mode};

/// Writes a file and gives it its name. One that says "cut" has no end.
fn write(path: &Path, owner: Option<&UserId>, text: &str) -> OutputFile {
    let mut output = draft(path, owner, text);
    output.publish(is_cut).unwrap();
    output
}

fn draft(path: &Path, owner: Option<&UserId>, text: &str) -> OutputFile {
    let output = OutputFile::create(path, owner).unwrap();
    output.file().as_ref().write_all(text.as_bytes()).unwrap();
    output
}

fn is_cut(file: &fs::File) -> bool {
    let mut text = String::new();
    let mut file = file;
    file.read_to_string(&mut text).unwrap();
    text.starts_with("cut")
}

/// The names in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_older_recording_is_kept_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.data");
    assert_eq!(write(&path, None, "first").older(), None);
    let second = write(&path, None, "second");
    let old = directory.path().join("eprof.data.old");
    assert_eq!(second.older(), Some(old.as_path()));
    assert_eq!((read(&path), read(&old)), ("second".into(), "first".into()));
    drop(second);
    write(&path, None, "third");
    assert_eq!((read(&path), read(&old)), ("third".into(), "second".into()));
    assert_eq!(names(directory.path()), ["eprof.data", "eprof.data.old"]);
}

#[test]
fn one_without_an_end_never_takes_the_place_of_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.data");
    let named = |name: &str| read(directory.path().join(name));
    write(&path, None, "whole");
    write(&path, None, "cut 1");
    assert_eq!(named("eprof.data.old"), "whole");
    write(&path, None, "cut 2");
    assert_eq!(named("eprof.data.part"), "cut 1");
    write(&path, None, "cut 3");
    assert_eq!(named("eprof.data.old"), "whole");
    assert_eq!(named("eprof.data.part"), "cut 2");
    assert_eq!(read(&path), "cut 3");
    // A whole one again, and then a second: only the last is kept.
    write(&path, None, "second");
    write(&path, None, "third");
    assert_eq!(named("eprof.data.old"), "second");
    assert_eq!(read(&path), "third");
}

#[test]
fn what_another_run_still_writes_is_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.data");
    write(&path, None, "older");
    let runs: Vec<_> = (0..5)
        .map(|run| write(&path, None, &format!("cut {run}")))
        .collect();
    let mut places = Vec::new();
    for (run, output) in runs.iter().enumerate() {
        let place = output.whereabouts().unwrap();
        assert_eq!(read(&place), format!("cut {run}"));
        places.push(place);
    }
    assert_eq!(places[4], path);
    places.sort();
    places.dedup();
    assert_eq!(places.len(), 5, "{places:?}");
    assert_eq!(read(directory.path().join("eprof.data.old")), "older");
}

#[test]
fn the_draft_of_a_run_that_was_killed_goes_with_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.data");
    let dead = directory.path().join(".eprof.data.4194305.draft");
    let others = directory.path().join(".eprof.data.x.draft");
    fs::write(&dead, "dead").unwrap();
    fs::write(&others, "not ours").unwrap();
    let live = draft(&path, None, "live");
    assert!(!dead.exists());
    drop(live);
    assert_eq!(names(directory.path()), [".eprof.data.x.draft"]);
}

#[test]
fn a_run_that_never_began_leaves_things_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.data");
    drop(draft(&path, None, "nothing"));
    assert!(names(directory.path()).is_empty());
    write(&path, None, "kept");
    drop(draft(&path, None, "nothing"));
    assert_eq!(read(&path), "kept");
    assert_eq!(names(directory.path()), ["eprof.data"]);
}

#[test]
fn a_recording_can_be_read_back_by_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.data");
    let output = write(&path, None, "text");
    let mut file = output.file().as_ref();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "text");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_device_is_written_to_and_stays() {
    let null = Path::new("/dev/null");
    let output = write(null, None, "away");
    assert_eq!(output.older(), None);
    drop(output);
    replace(null, None, b"away").unwrap();
    assert!(!fs::metadata(null).unwrap().is_file());
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("no/such/place");
    for path in [directory.path(), missing.as_path()] {
        for error in [
            OutputFile::create(path, None).unwrap_err(),
            replace(path, None, b"").unwrap_err(),
            log(path, None).unwrap_err(),
            writable::check(path, None).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Input);
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }
    assert!(names(directory.path()).is_empty(), "no draft is left");
}

#[test]
fn files_belong_to_the_user() {
    if !root() {
        return;
    }
    let nobody = UserId::named("nobody").unwrap();
    let directory = open_directory();
    let path = directory.path().join("eprof.data");
    let picture = directory.path().join("eprof.svg");
    // Again and again, also over what root made before.
    write(&path, None, "root's");
    for text in ["first", "second"] {
        write(&path, Some(&nobody), text);
        replace(&picture, Some(&nobody), text.as_bytes()).unwrap();
        for path in [&path, &picture] {
            let found = fs::metadata(path).unwrap();
            assert_eq!((found.uid(), found.gid()), (nobody.uid, nobody.gid));
            assert_eq!(read(path), text);
        }
    }
    assert_eq!(
        names(directory.path()),
        ["eprof.data", "eprof.data.old", "eprof.svg"]
    );
    // The thread that was the user took nobody else with it.
    assert!(nix::unistd::Uid::effective().is_root());
    fs::write(directory.path().join("still-root"), "").unwrap();
    let found = fs::metadata(directory.path().join("still-root")).unwrap();
    assert_eq!(found.uid(), 0);
}

#[test]
fn where_the_user_may_not_write_eprof_does_not_either() {
    if !root() {
        return;
    }
    let nobody = UserId::named("nobody").unwrap();
    let directory = tempfile::tempdir().unwrap();
    set_mode(directory.path(), 0o755);
    let path = directory.path().join("eprof.data");
    fs::write(&path, "root's").unwrap();
    for error in [
        OutputFile::create(&path, Some(&nobody)).unwrap_err(),
        replace(&path, Some(&nobody), b"x").unwrap_err(),
        log(&path, Some(&nobody)).unwrap_err(),
        writable::check(&path, Some(&nobody)).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Permission);
        assert!(error.to_string().contains("nobody"), "{error}");
    }
    assert_eq!(read(&path), "root's");
    assert_eq!(names(directory.path()), ["eprof.data"]);
}

#[test]
fn a_link_to_what_only_root_may_write_is_not_followed() {
    if !root() {
        return;
    }
    let nobody = UserId::named("nobody").unwrap();
    let roots = tempfile::tempdir().unwrap();
    set_mode(roots.path(), 0o755);
    let secret = roots.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let directory = open_directory();
    for name in ["eprof.data", "eprof.data.old", "eprof.svg"] {
        symlink(&secret, directory.path().join(name)).unwrap();
    }
    write(&directory.path().join("eprof.data"), Some(&nobody), "x");
    replace(&directory.path().join("eprof.svg"), Some(&nobody), b"x").unwrap();
    assert_eq!(read(&secret), "secret");
    assert_eq!(fs::metadata(&secret).unwrap().uid(), 0);
    for name in ["eprof.data", "eprof.svg"] {
        let found = fs::symlink_metadata(directory.path().join(name)).unwrap();
        assert!(found.is_file() && found.uid() == nobody.uid, "{name}");
    }
}

#[test]
fn a_log_is_emptied_and_no_link_of_others_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("verifier.log");
    for text in ["the first, which is longer", "the second"] {
        log(&path, None)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert_eq!(read(&path), text);
    }
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    let error = log(&link, None).unwrap_err();
    assert!(
        error.to_string().contains(link.to_str().unwrap()),
        "{error}"
    );
    assert_eq!(read(&path), "the second");
    // A device stays one.
    log(Path::new("/dev/null"), None).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn to_look_whether_a_file_can_be_written_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eprof.svg");
    writable::check(&path, None).unwrap();
    assert!(names(directory.path()).is_empty());
    fs::write(&path, "older").unwrap();
    writable::check(&path, None).unwrap();
    assert_eq!(read(&path), "older");
    assert_eq!(names(directory.path()), ["eprof.svg"]);
    writable::check(Path::new("/dev/null"), None).unwrap();
    // Who reads from a FIFO sees no end of it.
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let reader = fs::File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&fifo)
        .unwrap();
    writable::check(&fifo, None).unwrap();
    let mut writer = fs::File::options().write(true).open(&fifo).unwrap();
    writer.write_all(b"x").unwrap();
    let mut byte = [0];
    assert_eq!((&reader).read(&mut byte).unwrap(), 1);
}

#[test]
fn the_file_of_another_user_cannot_be_replaced_in_a_sticky_directory() {
    if !root() {
        return;
    }
    let nobody = UserId::named("nobody").unwrap();
    let directory = open_directory();
    set_mode(directory.path(), 0o1777);
    let path = directory.path().join("eprof.svg");
    writable::check(&path, Some(&nobody)).unwrap();
    fs::write(&path, "root's").unwrap();
    for error in [
        writable::check(&path, Some(&nobody)).unwrap_err(),
        replace(&path, Some(&nobody), b"x").unwrap_err(),
    ] {
        assert!(error.to_string().contains("eprof.svg"), "{error}");
    }
    writable::check(&path, None).unwrap();
}

#[test]
fn no_group_of_root_helps_the_user_to_write() {
    if !root() {
        return;
    }
    let nobody = UserId::named("nobody").unwrap();
    let directory = tempfile::tempdir().unwrap();
    // Root's group may write here, and eprof's thread is in it before it
    // becomes the user.
    set_mode(directory.path(), 0o775);
    let path = directory.path().join("eprof.data");
    let error = OutputFile::create(&path, Some(&nobody)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
}
