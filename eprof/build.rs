//! Chooses the object with the kernel programs, once and for all: there is no
//! detection of tools, so that the same command gives the same binary.
//!
//! 1. `EPROF_BPF_OBJECT=FILE`: that file.
//! 2. The feature `build-ebpf`: compiled from `../eprof-ebpf`.
//! 3. Otherwise the committed object, `bpf/eprof.bpf.o`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let copy = out.join("embedded.bpf.o");
    println!("cargo::rerun-if-env-changed=EPROF_BPF_OBJECT");

    let (origin, object) = if let Some(file) = env::var_os("EPROF_BPF_OBJECT") {
        ("file", PathBuf::from(file))
    } else if env::var_os("CARGO_FEATURE_BUILD_EBPF").is_some() {
        ("built", build(&here, &out)?)
    } else {
        ("prebuilt", here.join("bpf/eprof.bpf.o"))
    };
    println!("cargo::rerun-if-changed={}", object.display());

    let bytes = fs::read(&object).map_err(|error| format!("{}: {error}", object.display()))?;
    fs::write(copy, &bytes)?;
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("cargo::rustc-env=EPROF_OBJECT_ORIGIN={origin}");
    println!("cargo::rustc-env=EPROF_OBJECT_SHA256={hash}");
    Ok(())
}

fn build(here: &Path, out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let source = here.join("../eprof-ebpf");
    let object = out.join("built.bpf.o");
    for input in [
        "src",
        "Cargo.toml",
        "Cargo.lock",
        "build.sh",
        "../common/src",
    ] {
        println!("cargo::rerun-if-changed={}", source.join(input).display());
    }
    let status = Command::new(source.join("build.sh"))
        .arg(&object)
        .env("EPROF_BPF_TARGET_DIR", out.join("ebpf"))
        .status()
        .map_err(|error| format!("eprof-ebpf/build.sh: {error}"))?;
    if !status.success() {
        return Err("eprof-ebpf/build.sh failed; it needs rust-src and bpf-linker".into());
    }
    Ok(object)
}
