//! Nothing is ever named by another file than the one that ran.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::programs::one;
use super::target::{Target, compile, possible};

#[test]
fn a_file_that_was_deleted_or_replaced_is_never_mistaken() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for flags in [&["-Wl,--build-id"][..], &["-Wl,--build-id=none"]] {
        for replaced in [false, true] {
            for alive in [false, true] {
                let path = dir.path().join("program");
                let other = dir.path().join("other");
                one(&path, "the_right_one", flags);
                one(&other, "the_wrong_one", flags);
                let case = format!("{flags:?} replaced={replaced} alive={alive}");
                let mut target = Target::in_cgroup(&[path.to_str().unwrap()]);
                let (function, address) = target.function();
                assert_eq!(function, "the_right_one");
                if replaced {
                    fs::rename(&other, &path).unwrap();
                } else {
                    fs::remove_file(&path).unwrap();
                }
                if !alive {
                    target.finish();
                }
                target.drain(vec![]);
                let frame = target.frame(address);
                assert_eq!(target.path(frame), path.to_str().unwrap());
                let resolution = target.resolve(&[frame]);
                if alive {
                    let symbol = &resolution.symbols[0];
                    assert_eq!(symbol.functions, ["the_right_one"], "{case}");
                    assert!(resolution.caveats.is_empty(), "{case}");
                } else {
                    assert!(resolution.symbols.is_empty(), "{case}: {resolution:?}");
                    assert_eq!(resolution.caveats[0].code, "object-gone", "{case}");
                    assert!(resolution.caveats[0].sentence.contains("program"), "{case}");
                }
            }
        }
    }
}

#[test]
fn a_file_that_is_overwritten_in_place_after_it_was_opened_is_not_used() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for flags in [&["-Wl,--build-id"][..], &["-Wl,--build-id=none"]] {
        let path = dir.path().join("program");
        let other = dir.path().join("other");
        one(&path, "the_right_one", flags);
        one(&other, "the_wrong_one", flags);
        let mut target = Target::in_cgroup(&[path.to_str().unwrap()]);
        let (_, address) = target.function();
        target.drain(vec![]);
        target.finish();
        assert_eq!(target.functions(address).unwrap(), ["the_right_one"]);
        let before = fs::metadata(&path).unwrap().ino();
        fs::copy(&other, &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
        assert_eq!(target.functions(address), None);
    }
}

#[test]
fn a_program_started_from_memory_is_found() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let starter = dir.path().join("starter");
    let program = dir.path().join("program");
    one(&program, "from_memory", &["-static"]);
    let source = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>
int main(int argc, char **argv, char **env) {
    int memory = memfd_create("program", MFD_CLOEXEC), file = open(argv[1], O_RDONLY);
    while (sendfile(memory, file, 0, 1 << 20) > 0);
    fexecve(memory, argv + 1, env);
}
"#;
    compile(&starter, source, "cc", &[]);
    let mut target = Target::in_cgroup(&[starter.to_str().unwrap(), program.to_str().unwrap()]);
    let (function, address) = target.function();
    target.drain(vec![]);
    assert_eq!(target.functions(address).unwrap(), [function]);
}

#[test]
fn a_program_in_another_mount_namespace_is_found_and_one_here_at_its_path_is_not() {
    if !possible() {
        return;
    }
    for flags in [&["-Wl,--build-id"][..], &["-Wl,--build-id=none"]] {
        let dir = tempfile::tempdir().unwrap();
        let (right, wrong) = (dir.path().join("right"), dir.path().join("wrong"));
        one(&right, "the_right_one", flags);
        one(&wrong, "the_wrong_one", flags);
        // The same path leads to another file in there: one that nobody else
        // can reach.
        let place = dir.path().join("place");
        fs::create_dir(&place).unwrap();
        let program = place.join("program");
        fs::copy(&wrong, &program).unwrap();
        let script =
            "mount -t tmpfs none \"$1\" && cp \"$0\" \"$1/program\" && exec \"$1/program\"";
        let (right, place) = (right.to_str().unwrap(), place.to_str().unwrap());
        let mut target = Target::in_cgroup(&["unshare", "-m", "sh", "-c", script, right, place]);
        let (function, address) = target.function();
        assert_eq!(function, "the_right_one");
        target.drain(vec![]);
        assert_eq!(
            target.path(target.frame(address)),
            program.to_str().unwrap()
        );
        assert_eq!(target.functions(address).unwrap(), ["the_right_one"]);
        // With the process, its mounts are gone.
        target.finish();
        assert_eq!(
            target.functions(address).unwrap(),
            ["the_right_one"],
            "{flags:?}"
        );
    }
}

#[test]
fn a_program_in_another_mount_namespace_that_ended_too_early_has_no_name() {
    if !possible() {
        return;
    }
    for flags in [&["-Wl,--build-id"][..], &["-Wl,--build-id=none"]] {
        let dir = tempfile::tempdir().unwrap();
        let (right, wrong) = (dir.path().join("right"), dir.path().join("wrong"));
        one(&right, "the_right_one", flags);
        one(&wrong, "the_wrong_one", flags);
        let place = dir.path().join("place");
        fs::create_dir(&place).unwrap();
        fs::copy(&wrong, place.join("program")).unwrap();
        let script =
            "mount -t tmpfs none \"$1\" && cp \"$0\" \"$1/program\" && exec \"$1/program\"";
        let (right, place) = (right.to_str().unwrap(), place.to_str().unwrap());
        let mut target = Target::in_cgroup(&["unshare", "-m", "sh", "-c", script, right, place]);
        let (_, address) = target.function();
        target.finish();
        target.drain(vec![]);
        assert_eq!(target.functions(address), None, "{flags:?}");
    }
}
