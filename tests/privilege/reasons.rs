//! Why eprof may not measure, and a remedy that works there; `eprof doctor` says the
//! same as `eprof run`.

use super::*;
use crate::support::seccomp::{self, answer, fail, load, unless};

/// What has to come of it in some surroundings.
enum Outcome {
    /// Both say that it works.
    Works,
    /// Both say that it cannot, `run` with this exit code, and hint at the remedy, and
    /// not at what does not help there.
    Refused(i32, &'static str, &'static [&'static str]),
}
use Outcome::{Refused, Works};

/// Surroundings in which eprof is run.
struct Surroundings {
    name: &'static str,
    /// The rights of eprof's file.
    file: Option<&'static str>,
    /// Whether they have mounts of their own.
    mounts: bool,
    /// What a shell does before it becomes `"$@"`, which is eprof. Its exit code 99
    /// says that there are no such surroundings here.
    script: &'static str,
    /// A system call that is refused, and the answer.
    denied: Option<(libc::c_long, i32)>,
    outcome: Outcome,
}

/// Of root, with nothing in the way.
const PLAIN: Surroundings = Surroundings {
    name: "root",
    file: None,
    mounts: false,
    script: r#"exec "$@""#,
    denied: None,
    outcome: Works,
};

/// Becomes `nobody`, who has nothing that root had.
const AS_NOBODY: &str = r#"exec setpriv $NOBODY sh -c 'exec "$@"' sh "$@""#;

/// The same where `kernel.perf_event_paranoid` reads as 3.
const PARANOID_3: &str = r#"
    echo 3 > level && mount --bind level /proc/sys/kernel/perf_event_paranoid || exit 99
    exec setpriv $NOBODY sh -c 'exec "$@"' sh "$@""#;

/// The same with 4, which Ubuntu has.
const PARANOID_4: &str = r#"
    echo 4 > level && mount --bind level /proc/sys/kernel/perf_event_paranoid || exit 99
    exec setpriv $NOBODY sh -c 'exec "$@"' sh "$@""#;

const GROUP: Option<&str> = Some("cap_bpf,cap_perfmon,cap_dac_read_search,cap_syslog+p");

/// Debian's patch answers so to who has not CAP_SYS_ADMIN.
const DEBIAN: Surroundings = Surroundings {
    name: "Debian's perf_event_paranoid 3",
    file: GROUP,
    mounts: true,
    script: PARANOID_3,
    denied: Some((libc::SYS_perf_event_open, libc::EACCES)),
    outcome: Refused(
        77,
        "sysctl kernel.perf_event_paranoid=2",
        &["CAP_PERFMON", "sudo chgrp", "--cap-add", "seccomp"],
    ),
};

const ALL: &[Surroundings] = &[
    PLAIN,
    Surroundings {
        name: "a plain user",
        script: AS_NOBODY,
        outcome: Refused(77, "sudo chgrp eprof", &["chmod a+r", "--cap-add"]),
        ..PLAIN
    },
    Surroundings {
        name: "a user, with file capabilities",
        file: GROUP,
        script: AS_NOBODY,
        ..PLAIN
    },
    // The kernel itself knows no level above 2, and lets CAP_PERFMON do it.
    Surroundings {
        name: "perf_event_paranoid 3",
        file: GROUP,
        mounts: true,
        script: PARANOID_3,
        ..PLAIN
    },
    Surroundings {
        name: "perf_event_paranoid 4",
        file: GROUP,
        mounts: true,
        script: PARANOID_4,
        ..PLAIN
    },
    DEBIAN,
    Surroundings {
        name: "Debian's perf_event_paranoid 4",
        script: PARANOID_4,
        ..DEBIAN
    },
    Surroundings {
        name: "root with Docker's default capabilities",
        script: r#"exec setpriv --inh-caps -all --bounding-set "-all,$DOCKER" "$@""#,
        outcome: Refused(77, "--cap-add PERFMON", &["sudo", "setcap "]),
        ..PLAIN
    },
    Surroundings {
        name: "Docker with one of two capabilities",
        script: r#"exec setpriv --inh-caps -all --bounding-set "-all,$DOCKER,+bpf" "$@""#,
        outcome: Refused(77, "--cap-add PERFMON", &["sudo", "setcap ", "CAP_BPF"]),
        ..PLAIN
    },
    Surroundings {
        name: "Docker with both capabilities",
        script: r#"exec setpriv --inh-caps -all --bounding-set "-all,$DOCKER,+bpf,+perfmon" "$@""#,
        ..PLAIN
    },
    Surroundings {
        name: "file capabilities, and no_new_privs",
        file: GROUP,
        script: r#"
            exec setpriv $NOBODY sh -c 'exec setpriv --no-new-privs "$@"' sh "$@""#,
        outcome: Refused(77, "NoNewPrivileges=", &["setcap "]),
        ..PLAIN
    },
    Surroundings {
        name: "root of a user namespace",
        script: r#"unshare -Ur true || exit 99; exec unshare -Ur "$@""#,
        outcome: Refused(77, "--userns=host", &["mount", "setcap "]),
        ..PLAIN
    },
    Surroundings {
        name: "a filter refuses bpf(2)",
        denied: Some((libc::SYS_bpf, libc::EPERM)),
        outcome: Refused(77, "seccomp=unconfined", &["setcap ", "mount"]),
        ..PLAIN
    },
    Surroundings {
        name: "a filter knows no bpf(2)",
        denied: Some((libc::SYS_bpf, libc::ENOSYS)),
        outcome: Refused(77, "seccomp=unconfined", &["setcap ", "mount"]),
        ..PLAIN
    },
    Surroundings {
        name: "a filter refuses perf_event_open(2)",
        denied: Some((libc::SYS_perf_event_open, libc::EPERM)),
        outcome: Refused(
            77,
            "seccomp=unconfined",
            &["setcap ", "mount", "paranoid=2"],
        ),
        ..PLAIN
    },
    Surroundings {
        name: "14 files",
        script: r#"ulimit -n 14; exec "$@""#,
        outcome: Refused(70, "ulimit -n", &["sudo", "setcap", "verifier"]),
        ..PLAIN
    },
    Surroundings {
        name: "30 files",
        script: r#"ulimit -n 30; exec "$@""#,
        outcome: Refused(70, "ulimit -n", &["sudo", "setcap", "verifier"]),
        ..PLAIN
    },
    // Enough for the programs, not for a run.
    Surroundings {
        name: "44 files, for two CPUs",
        script: r#"[ "$(nproc)" = 2 ] || exit 99; ulimit -n 44; exec "$@""#,
        outcome: Refused(70, "ulimit -n", &["sudo", "setcap"]),
        ..PLAIN
    },
    Surroundings {
        name: "no /sys",
        mounts: true,
        script: r#"
            mount -t tmpfs none /sys && exec "$@""#,
        outcome: Refused(69, "mount -t sysfs", &["setcap "]),
        ..PLAIN
    },
    Surroundings {
        name: "a chroot without /sys and /proc",
        mounts: true,
        script: r#"
            mkdir -p root && mount -t tmpfs none root && cd root || exit 99
            for each in /*; do
                case $each in /sys | /proc) continue;; esac
                if [ -h "$each" ]; then cp -P "$each" .
                elif [ -d "$each" ]; then mkdir ".$each" && mount --rbind "$each" ".$each"
                fi
            done
            exec chroot . "$@""#,
        outcome: Refused(69, "mount -t sysfs", &["setcap "]),
        ..PLAIN
    },
    Surroundings {
        name: "neither BTF nor tracefs",
        mounts: true,
        script: r#"
            mount -t tmpfs none /sys/kernel && exec "$@""#,
        outcome: Refused(69, "mount -t tracefs", &["setcap "]),
        ..PLAIN
    },
    Surroundings {
        name: "no tracefs, and BTF is not to be used",
        mounts: true,
        script: r#"
            mount -t tmpfs none /sys/kernel && EPROF_NO_BTF=1 exec "$@""#,
        outcome: Refused(69, "mount -t tracefs", &["setcap "]),
        ..PLAIN
    },
    Surroundings {
        name: "no cgroups",
        mounts: true,
        script: r#"
            mount -t tmpfs none /sys/fs/cgroup && exec "$@""#,
        ..PLAIN
    },
    Surroundings {
        name: "namespaces of processes, networks and cgroups",
        script: r#"exec unshare --fork --pid --mount-proc --net --cgroup "$@""#,
        ..PLAIN
    },
];

/// What Docker gives by default.
const DOCKER: &str = "+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,\
                      +net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";

impl Surroundings {
    fn output(&self, installed: &Installed, arguments: &[&str]) -> Output {
        let mut command = Command::new(if self.mounts { "unshare" } else { "sh" });
        if self.mounts {
            command.args(["--mount", "sh"]);
        }
        command
            .args(["-c", self.script, "sh"])
            .arg(installed.eprof())
            .args(arguments)
            .current_dir(installed.work.path())
            .env("HOME", installed.work.path())
            .env(
                "NOBODY",
                "--reuid 65534 --regid 65534 --clear-groups --inh-caps -all",
            )
            .env("DOCKER", DOCKER);
        if let Some((call, errno)) = self.denied {
            // SAFETY: between fork and exec it makes two system calls.
            unsafe {
                command.pre_exec(move || deny(call, errno));
            }
        }
        command.output().unwrap()
    }

    /// Runs both, and compares what they say.
    fn check(&self, installed: &Installed) {
        let arguments = ["run", "-q", "--no-flamegraph", "-o", "x.data", "--", "true"];
        let run = self.output(installed, &arguments);
        let none = said(&run).contains("unshare failed");
        if none || run.status.code() == Some(99) {
            return support::skip(&format!("{}: {}", self.name, said(&run)));
        }
        let doctor = self.output(installed, &["doctor"]);
        let (ran, found) = (run.status.code(), doctor.status.code());
        let both = format!(
            "{}\nrun: {}\ndoctor: {}",
            self.name,
            said(&run),
            said(&doctor)
        );
        let Refused(code, remedy, useless) = self.outcome else {
            assert_eq!(ran, Some(0), "{both}");
            assert!(matches!(found, Some(0 | 3)), "{both}");
            return;
        };
        assert_eq!((ran, found), (Some(code), Some(4)), "{both}");
        assert!(both.contains("eprof run cannot work here"), "{both}");
        let hint = |output: &Output| {
            let text = said(output);
            let mut hints = text.lines().filter_map(|line| line.split_once("hint: "));
            hints
                .find(|(_, hint)| hint.contains(remedy))
                .map(|(_, hint)| hint.to_owned())
        };
        assert!(hint(&run).is_some(), "no {remedy}: {both}");
        assert_eq!(hint(&run), hint(&doctor), "{both}");
        for useless in useless {
            assert!(
                !said(&run).contains(useless),
                "{useless} does not help: {both}"
            );
        }
    }
}

#[test]
fn doctor_and_run_agree_in_all_surroundings() {
    for surroundings in ALL {
        let installed = match surroundings.file {
            None => Installed::new(),
            Some(capabilities) => Installed::with_capabilities(capabilities),
        };
        let Some(installed) = installed else {
            return;
        };
        surroundings.check(&installed);
    }
}

/// A filter that answers `errno` to `call`.
fn deny(call: libc::c_long, errno: i32) -> std::io::Result<()> {
    seccomp::install(&mut [
        load(0),
        unless(call as u32, 1),
        fail(errno),
        answer(libc::SECCOMP_RET_ALLOW),
    ])
}

#[test]
fn what_is_quoted_in_an_error_is_no_escape() {
    for arguments in [
        vec!["report", "\x1b]0;title\x07.data"],
        vec!["report", "--by", "\x1b[2J"],
        vec!["export", "--format", "folded", "a\u{202e}b"],
        vec!["run", "-o", "%\x1b", "--", "true"],
    ] {
        let output = support::eprof_in(Path::new("/"), &arguments);
        assert!(!output.status.success());
        let said = said(&output);
        assert!(!said.contains(['\x1b', '\x07', '\u{202e}']), "{said:?}");
        // clap leaves whole sequences out of what it quotes.
        let quoted = said.contains("\\x1b") || said.contains("\\u{202e}");
        assert!(quoted || said.contains("--by"), "{said:?}");
    }
}
