//! The committed kernel object is what its source says.
use std::path::Path;
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::support::skip;

/// The output of a program; `None` where it cannot be run.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// A value of the object's description, which has one `key = "value"` a line.
fn described(description: &str, key: &str) -> String {
    description
        .lines()
        .find_map(|line| line.strip_prefix(key)?.trim().strip_prefix("= \""))
        .and_then(|value| value.strip_suffix('"'))
        .unwrap()
        .to_owned()
}

fn package(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_description_names_the_object() {
    let object = std::fs::read(package("bpf/eprof.bpf.o")).unwrap();
    let description = std::fs::read_to_string(package("bpf/eprof.bpf.toml")).unwrap();
    let hash: String = Sha256::digest(&object)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(described(&description, "sha256"), hash);
}

#[test]
fn a_rebuild_gives_the_same_bytes() {
    let description = std::fs::read_to_string(package("bpf/eprof.bpf.toml")).unwrap();
    let toolchain = std::env::var("EPROF_BPF_TOOLCHAIN").unwrap_or_else(|_| "stable".to_owned());
    let rustc = output("rustc", &[&format!("+{toolchain}"), "--version"]);
    let wanted = described(&description, "rustc");
    if rustc.as_ref() != Some(&wanted) {
        return skip(&format!(
            "the object was built with {wanted}, here is {rustc:?}"
        ));
    }
    let linker = output("bpf-linker", &["--version"]);
    let wanted = described(&description, "bpf-linker");
    if linker.as_ref() != Some(&wanted) {
        return skip(&format!(
            "the object was linked with {wanted}, here is {linker:?}"
        ));
    }
    let sysroot = output("rustc", &[&format!("+{toolchain}"), "--print", "sysroot"]).unwrap();
    if !Path::new(&sysroot)
        .join("lib/rustlib/src/rust/library")
        .is_dir()
    {
        return skip("rust-src is not installed");
    }

    // In another directory than the committed one was built in, each time.
    let directory = tempfile::tempdir().unwrap();
    let rebuilt = directory.path().join("rebuilt.o");
    let build = || {
        let status = Command::new(package("../eprof-ebpf/build.sh"))
            .arg(&rebuilt)
            .env("EPROF_BPF_TARGET_DIR", directory.path().join("target"))
            .status()
            .unwrap();
        assert!(status.success(), "build.sh failed");
        std::fs::read(&rebuilt).unwrap()
    };
    let committed = std::fs::read(package("bpf/eprof.bpf.o")).unwrap();
    let bytes = build();
    let new = std::fs::read_to_string(directory.path().join("rebuilt.toml")).unwrap();
    let (llvm, wanted) = (described(&new, "strip"), described(&description, "strip"));
    if llvm != wanted {
        return skip(&format!(
            "the object was stripped with LLVM {wanted}, here is {llvm}"
        ));
    }
    assert!(
        bytes == committed,
        "eprof/bpf/eprof.bpf.o is not what eprof-ebpf/ builds: \
         run eprof-ebpf/build.sh eprof/bpf/eprof.bpf.o"
    );
}
