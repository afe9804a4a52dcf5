//! The virtual machines: preparing, booting, bringing back.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::scenario::{Boot, Scenario};

/// Longest time that a virtual machine may take, in seconds.
const PATIENCE: &str = "1200";

/// The job that calibrates.
const CALIBRATION: &str = "calibration";

/// Whether this machine can have the lab; else why not.
pub fn possible() -> Result<(), String> {
    let tools = [
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("busybox", "busybox-static"),
        ("cpio", "cpio"),
        ("dpkg", "dpkg"),
        ("apt-get", "apt"),
        ("make", "make"),
        ("gcc", "gcc"),
    ];
    if !cfg!(target_arch = "x86_64") {
        return Err("the lab is for x86-64".into());
    }
    let found = |tool: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|directory| directory.join(tool).exists())
    };
    match tools.iter().find(|(tool, _)| !found(tool)) {
        None => Ok(()),
        Some((tool, package)) => Err(format!("there is no {tool} (Debian: {package})")),
    }
}

/// Everything that is needed to boot.
#[derive(Debug)]
pub struct Lab {
    cache: PathBuf,
    /// Where the programs are built.
    programs: PathBuf,
}

/// Whether something is tried for the first time. The second time, what was
/// calibrated is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Yes.
    First,
    /// No.
    Second,
}

/// What the jobs of one virtual machine left.
#[derive(Debug)]
pub struct Results {
    /// A directory per job.
    pub directory: PathBuf,
    /// The eprof that did them.
    pub eprof: PathBuf,
}

fn succeed(command: &mut Command) {
    let status = command.status();
    assert!(
        status.as_ref().is_ok_and(|status| status.success()),
        "{command:?}: {status:?}"
    );
}

/// The directory of the workspace.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Lab {
    /// Makes or finds the kernel, the module and the programs.
    pub fn prepare() -> Self {
        let begun = Instant::now();
        let cache = std::env::var_os("EPROF_LAB_CACHE")
            .map_or_else(|| workspace().join("target/lab"), PathBuf::from);
        succeed(
            Command::new(workspace().join("tests/lab/setup"))
                .arg(&cache)
                .stdout(Stdio::null()),
        );
        let programs = std::env::var_os("EPROF_BUILT").map_or_else(release, PathBuf::from);
        eprintln!("lab: ready after {:.0} s", begun.elapsed().as_secs_f64());
        Self {
            cache: cache.canonicalize().unwrap(),
            programs,
        }
    }

    /// What the last run of a virtual machine left.
    pub fn left(&self, boot: Boot) -> Results {
        Results {
            directory: self.cache.join("runs").join(boot.name).join("out"),
            eprof: self.programs.join("eprof"),
        }
    }

    /// Boots a virtual machine and lets it do `scenarios`.
    pub fn run(&self, boot: Boot, scenarios: &[&Scenario], attempt: Attempt) -> Results {
        let runs = self.cache.join("runs");
        let (share, calibration) = match attempt {
            Attempt::First => (runs.join(boot.name), None),
            Attempt::Second => (
                runs.join(format!("{}-second", boot.name)),
                fs::read(
                    self.left(boot)
                        .directory
                        .join(CALIBRATION)
                        .join("calibration.json"),
                )
                .ok(),
            ),
        };
        let _ = fs::remove_dir_all(&share);
        fs::create_dir_all(&share).unwrap();
        if let Some(calibration) = calibration {
            fs::write(share.join("calibration.json"), calibration).unwrap();
        }
        let put = |from: &Path, name: &str| {
            fs::copy(from, share.join(name)).unwrap_or_else(|why| panic!("{from:?}: {why}"));
        };
        put(&self.cache.join("eproflab.ko"), "eproflab.ko");
        put(&workspace().join("tests/lab/guest/guest"), "guest");
        put(&self.programs.join("lab_work"), "lab_work");
        // Debugging information would have to go through the emulator.
        succeed(
            Command::new("strip")
                .args(["--strip-debug", "-o"])
                .arg(share.join("eprof"))
                .arg(self.programs.join("eprof")),
        );
        fs::write(share.join("jobs"), jobs(scenarios)).unwrap();

        let begun = Instant::now();
        let said = self.boot(boot, &share);
        eprintln!(
            "lab: {} did {} scenarios in {:.0} s",
            boot.name,
            scenarios.len(),
            begun.elapsed().as_secs_f64()
        );
        let directory = share.join("out");
        assert!(
            directory.join("done").exists(),
            "the virtual machine did not finish:\n{said}"
        );
        Results {
            directory,
            eprof: self.programs.join("eprof"),
        }
    }

    fn boot(&self, boot: Boot, share: &Path) -> String {
        let file = |name: &str| self.cache.join(name);
        let share = share.display();
        let mut command = Command::new("timeout");
        command
            .args([PATIENCE, "qemu-system-x86_64"])
            .args([
                "-accel",
                "tcg,thread=multi",
                "-cpu",
                "max,-avx,-avx2,-fma",
                "-m",
                "2048",
            ])
            .args(["-smp", boot.smp, "-no-reboot", "-display", "none"])
            .args(["-serial", "stdio", "-monitor", "none"])
            .arg("-kernel")
            .arg(file("vmlinuz"))
            .arg("-initrd")
            .arg(file("initrd.gz"))
            // The emulated time-stamp counter is steady, and much faster to
            // read than the other clocks.
            .args(["-append", "console=ttyS0 quiet panic=-1 tsc=reliable"])
            .args([
                "-virtfs",
                "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
            ])
            .arg("-virtfs")
            .arg(format!(
                "local,path={share},mount_tag=lab,security_model=none"
            ));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said + &String::from_utf8_lossy(&output.stderr)
    }
}

/// Release builds: emulated, a debug build is too slow to be told from a
/// defect.
fn release() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    succeed(
        Command::new(cargo)
            .current_dir(workspace())
            .args(["build", "-q", "--release", "-p", "eprof", "-p", "eprof-lab"])
            .args(["--bin", "eprof", "--bin", "lab_work"]),
    );
    // From target/tmp to target/release.
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("release")
}

/// The jobs as the guest's script wants them.
fn jobs(scenarios: &[&Scenario]) -> String {
    let mut jobs = String::new();
    let mut calibrated = false;
    for scenario in scenarios {
        if scenario.has_calibration() && !calibrated {
            calibrated = true;
            writeln!(jobs, "calibrate {CALIBRATION} ''").unwrap();
        }
        let Scenario {
            name,
            hardware,
            options,
            neighbour,
            work,
            ..
        } = scenario;
        let rest = format!("'{hardware}' '{options}' '{neighbour}' {work}");
        if scenario.blind || !scenario.has_calibration() {
            writeln!(jobs, "job {name} none {rest}").unwrap();
        }
        if scenario.has_calibration() {
            writeln!(
                jobs,
                "[ -d $here/{CALIBRATION} ] && job {name}+calibrated {CALIBRATION} {rest}"
            )
            .unwrap();
        }
    }
    jobs
}
