//! The doctor: verdicts, exit codes and hints.

use eprof::doctor::{Check, Diagnosis, Refused, State, Trials, Verdict, assess, diagnose};
use eprof::output::json::doctor::document;
use eprof::output::text::doctor::render;

use super::*;

/// A machine on which everything works.
fn healthy() -> Tree {
    let tree = Tree::client();
    tree.write("/proc/sys/kernel/osrelease", "6.12.9-amd64")
        .write("/sys/kernel/btf/vmlinux", "")
        .write("/proc/sys/kernel/kptr_restrict", 1)
        .write("/proc/sys/kernel/perf_event_paranoid", 2)
        .write("/proc/self/status", "CapEff:\t000001ffffffffff")
        .write(
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
            "performance",
        );
    // IA32_ARCH_CAPABILITIES and MSR_MISC_PACKAGE_CTLS at their addresses:
    // the filter exists and is off.
    let mut registers = vec![0u8; 0x10a + 8];
    registers[0x10a..].copy_from_slice(&0xc00u64.to_le_bytes());
    tree.write_bytes("/dev/cpu/0/msr", &registers);
    tree
}

fn working() -> Trials {
    Trials {
        program: Ok(()),
        event: Ok(()),
        cgroup: Ok("/sys/fs/cgroup/me".into()),
    }
}

/// A refusal with its remedy.
fn refused(why: &str, hint: &str) -> Result<(), Refused> {
    Err(Refused {
        why: why.to_owned(),
        hint: Some(hint.to_owned()),
    })
}

fn examine(tree: &Tree, trials: &Trials, measured: bool) -> Diagnosis {
    let probe = Probe {
        longest: Duration::ZERO,
        step: Duration::ZERO,
    };
    let moving: Vec<(&str, f64)> = if measured {
        vec![("intel-rapl:0", 20.0)]
    } else {
        Vec::new()
    };
    let probe = if measured { SHORT } else { probe };
    let _moving = tree.moving(&moving);
    let sources = Finder::new(tree.root()).probe(probe).candidates();
    assess(&tree.root(), trials, &sources)
}

fn check<'a>(diagnosis: &'a Diagnosis, name: &str) -> &'a Check {
    let found = diagnosis.checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no check {name}"))
}

#[test]
fn a_healthy_machine_measures() {
    let diagnosis = examine(&healthy(), &working(), true);
    assert_eq!(diagnosis.verdict, Verdict::Measure);
    assert_eq!(diagnosis.verdict.exit_code(), 0);
    for check in &diagnosis.checks {
        assert_eq!(check.state, State::Ok, "{check:?}");
        assert_eq!(check.hint, None, "{check:?}");
    }
    assert_eq!(
        check(&diagnosis, "meters").sentence,
        "powercap counts package"
    );
}

#[test]
fn without_a_meter_it_estimates() {
    let diagnosis = examine(&healthy(), &working(), false);
    assert_eq!(diagnosis.verdict, Verdict::Estimate);
    assert_eq!(diagnosis.verdict.exit_code(), 3);
    assert_eq!(check(&diagnosis, "meters").state, State::Missing);
}

#[test]
fn each_thing_that_is_needed_decides_alone() {
    let cannot = |tree: &Tree, trials: &Trials, name: &str, hint: &str| {
        let diagnosis = examine(tree, trials, true);
        assert_eq!(diagnosis.verdict, Verdict::CannotRun, "{name}");
        assert_eq!(diagnosis.verdict.exit_code(), 4);
        let found = check(&diagnosis, name);
        assert_eq!(found.state, State::Missing, "{name}");
        assert!(found.hint.as_ref().unwrap().contains(hint), "{found:?}");
        assert!(render(&diagnosis).contains(hint));
    };
    let old = healthy();
    old.write("/proc/sys/kernel/osrelease", "4.18.0-553.el8");
    cannot(&old, &working(), "kernel", "5.12");
    let locked = healthy();
    locked.write(
        "/sys/kernel/security/lockdown",
        "none integrity [confidentiality]",
    );
    cannot(&locked, &working(), "lockdown", "lockdown=integrity");
    let program = Trials {
        program: refused("Operation not permitted", "add what is missing"),
        ..working()
    };
    cannot(&healthy(), &program, "bpf", "add what is missing");
    let event = Trials {
        event: refused("Permission denied", "take what is too much"),
        ..working()
    };
    cannot(&healthy(), &event, "perf-events", "take what is too much");
    // Where a run knows no remedy, there is none to be made up.
    let unknown = Trials {
        program: Err("Invalid argument".into()),
        ..working()
    };
    let diagnosis = examine(&healthy(), &unknown, true);
    assert_eq!(diagnosis.verdict, Verdict::CannotRun);
    assert_eq!(check(&diagnosis, "bpf").hint, None);
}

#[test]
fn what_is_only_worse_leaves_the_verdict() {
    let tree = healthy();
    std::fs::remove_file(tree.at("/sys/kernel/btf/vmlinux")).unwrap();
    tree.write("/proc/sys/kernel/kptr_restrict", 2)
        .write("/.dockerenv", "")
        .processor("GenuineIntel", 6, 0x9e, "fpu hypervisor sgx");
    let trials = Trials {
        cgroup: Err("Read-only file system".into()),
        ..working()
    };
    let diagnosis = examine(&tree, &trials, true);
    assert_eq!(diagnosis.verdict, Verdict::Measure);
    let worse = [
        "btf",
        "cgroup",
        "kernel-symbols",
        "hypervisor",
        "container",
        "energy-filter",
    ];
    for name in worse {
        assert_eq!(check(&diagnosis, name).state, State::Degraded, "{name}");
    }
}

#[test]
fn the_energy_filter_is_read_from_its_register() {
    let tree = healthy();
    let mut registers = vec![0u8; 0x10a + 8];
    registers[0x10a..].copy_from_slice(&0xc00u64.to_le_bytes());
    registers[0xbc] = 1;
    tree.write_bytes("/dev/cpu/0/msr", &registers);
    let on = examine(&tree, &working(), false);
    assert_eq!(check(&on, "energy-filter").state, State::Degraded);
    std::fs::remove_file(tree.at("/dev/cpu/0/msr")).unwrap();
    let unknown = examine(&tree, &working(), false);
    assert_eq!(check(&unknown, "energy-filter").state, State::Unknown);
    tree.processor("AuthenticAMD", 0x19, 1, "fpu");
    let amd = examine(&tree, &working(), false);
    assert_eq!(check(&amd, "energy-filter").state, State::Ok);
}

#[test]
fn the_document_says_what_the_text_says() {
    let diagnosis = examine(&healthy(), &working(), false);
    let json = serde_json::to_value(document(&diagnosis)).unwrap();
    assert_eq!(json["schema"], "eprof-doctor/1");
    assert_eq!(
        (&json["verdict"], &json["exit_code"]),
        (&"estimate".into(), &3.into())
    );
    assert_eq!(
        json["checks"].as_array().unwrap().len(),
        diagnosis.checks.len()
    );
    assert!(render(&diagnosis).ends_with("(exit code 3)\n"));
}

#[test]
fn what_a_machine_says_of_itself_steers_no_terminal() {
    let tree = healthy();
    tree.write("/proc/sys/kernel/osrelease", "\0\u{1b}[2J");
    let diagnosis = examine(&tree, &working(), true);
    let text = render(&diagnosis);
    assert!(
        text.contains("the release “\\x00\\x1b[2J” does not begin"),
        "{text}"
    );
}

/// What the kernel allows is asked of the kernel in another way: by `nobody`
/// everything is refused, unless the switches are open.
#[test]
fn here_the_trials_agree_with_the_privileges() {
    let root = SysRoot::machine();
    let diagnosis = diagnose(&root);
    let privileges = eprof::host::caps::Privileges::read(&root);
    assert_eq!(
        check(&diagnosis, "perf-events").state == State::Ok,
        privileges.may_open_cpu_events()
    );
    if nix::unistd::geteuid().is_root() && privileges.has(eprof::host::caps::Capability::Bpf) {
        assert_eq!(check(&diagnosis, "bpf").state, State::Ok);
    }
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(check(&diagnosis, "kernel").sentence.contains(text.trim()));
}
