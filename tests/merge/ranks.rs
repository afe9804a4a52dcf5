//! A parallel job: a recording per rank, and all of them as one picture.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::support::{Report, eprof, eprof_in, example, root};
use super::{json, merge};

/// What each rank runs.
fn recorder(directory: &Path, variable: &str, rank: u32) -> Child {
    let spin = example("deep_stack");
    Command::new(eprof())
        .current_dir(directory)
        .env(variable, rank.to_string())
        .args(["run", "-q", "-F", "499", "-o", "runs/out.%h.%r.data", "--"])
        .arg(spin)
        .args([format!("0.{}", rank + 1), "5".to_owned()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn check(directory: &Path, report: &Report) {
    report.assert_balanced();
    let names: BTreeSet<&str> = report
        .rows("members")
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["rank 0", "rank 1", "rank 2"].into());
    let folded = eprof_in(directory, &["flamegraph", "--folded", "all.data"]);
    let folded = String::from_utf8(folded.stdout).unwrap();
    for rank in 0..3 {
        let begin = format!("rank {rank};");
        assert!(
            folded.lines().any(|line| line.starts_with(&begin)),
            "{folded}"
        );
    }
}

#[test]
fn ranks_end_as_one_picture() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let variables = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"];
    let ranks: Vec<Child> = (0..)
        .zip(variables)
        .map(|(rank, variable)| recorder(directory.path(), variable, rank))
        .collect();
    for mut rank in ranks {
        assert!(rank.wait().unwrap().success());
    }
    let host = nix::unistd::gethostname().unwrap();
    let host = host.to_str().unwrap();
    let parts: Vec<PathBuf> = (0..3)
        .map(|rank| {
            directory
                .path()
                .join(format!("runs/out.{host}.{rank}.data"))
        })
        .collect();
    for part in &parts {
        assert!(
            part.exists() && part.with_extension("svg").exists(),
            "{}",
            part.display()
        );
    }
    let all = directory.path().join("all.data");
    merge(&parts, &all);
    let report = json(&all);
    check(directory.path(), &report);
    let sum: u64 = parts.iter().map(|part| json(part).account("target")).sum();
    assert_eq!(report.account("target"), sum);
    // They ran side by side, and each has read the whole machine.
    let caveats = report.rows("caveats").iter();
    let mut codes = caveats.map(|row| row["code"].as_str().unwrap());
    assert!(
        codes.any(|code| code == "members-overlap"),
        "{:#}",
        report.0
    );
}

#[test]
fn a_rank_that_nobody_gave_is_not_made_up() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(eprof());
    for variable in eprof::host::rank::VARIABLES {
        command.env_remove(variable);
    }
    let output = command
        .current_dir(directory.path())
        .args(["run", "-o", "%r.data", "--", "true"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("mpirun"), "{stderr}");
}
