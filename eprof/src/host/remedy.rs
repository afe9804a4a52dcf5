//! Why the kernel refuses what eprof asks of it, and what helps *here*: sudo
//! helps nobody in a container that lacks the capability, and a capability
//! helps nobody whom a lockdown keeps out.

use super::caps::{self, Capability, Lockdown, Privileges};
use super::root::SysRoot;
use crate::error::{ErrorKind, FILES_HINT};

/// How to give eprof its capabilities, to the members of a group only, and what
/// that opens to them.
pub const RECIPE: &str = "run it with sudo, or give it capabilities, for a group only: \
    sudo groupadd -f eprof; sudo usermod -aG eprof \"$USER\"; f=$(command -v eprof); \
    sudo chgrp eprof \"$f\"; sudo chmod 0750 \"$f\"; \
    sudo setcap cap_bpf,cap_perfmon,cap_dac_read_search,cap_syslog+p \"$f\"   # the group can then \
    read energy (PLATYPUS, CVE-2020-8694) and profile the kernel, see SECURITY.md";

/// How to give a container or service what its root lacks.
const ADD: &str = "start the container with --cap-add BPF --cap-add PERFMON --cap-add SYSLOG \
    --cap-add DAC_READ_SEARCH (or --privileged), the service with them in CapabilityBoundingSet=";

/// Where security modules say what they forbid.
const OTHERS: &str =
    "see what it says: sudo dmesg | grep -i -e denied -e lockdown; sudo ausearch -m avc";

/// What was asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To load programs, or to make their maps.
    Programs,
    /// To open a perf event for a CPU or a cgroup.
    Events,
    /// To map the ring of a perf event into memory.
    Rings,
    /// To read a file that is root's.
    Files,
}

/// What decides about permissions in the place where eprof runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Capabilities and switches.
    pub privileges: Privileges,
    /// Whether eprof runs as root.
    pub root: bool,
    /// Whether this is a user namespace, whose root has no power over the kernel.
    pub user_namespace: bool,
    /// The mark of a container, where there is one.
    pub container: Option<&'static str>,
    /// The capabilities that nothing can go beyond; `None` where unknown.
    pub bounding: Option<u64>,
    /// Whether a seccomp filter sits on the system calls.
    pub seccomp: bool,
    /// Whether neither sudo nor file capabilities work (`no_new_privs`).
    pub no_new_privileges: bool,
}

/// Files that container engines leave.
const MARKS: [&str; 3] = [
    "/.dockerenv",
    "/run/.containerenv",
    "/run/systemd/container",
];

/// The mark of a container below `root`, if there is one.
pub fn container(root: &SysRoot) -> Option<&'static str> {
    MARKS.into_iter().find(|mark| root.path(mark).exists())
}

impl Place {
    /// Here.
    pub fn here() -> Self {
        Self::read(&SysRoot::machine())
    }

    /// What the files below `root` say; what they do not say, is not so.
    pub fn read(root: &SysRoot) -> Self {
        let status = caps::status(root);
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim())
        };
        let map = root.read("/proc/self/uid_map").unwrap_or_default();
        let map: Vec<&str> = map.split_whitespace().collect();
        Self {
            privileges: Privileges::read(root),
            root: nix::unistd::geteuid().is_root(),
            // user_namespaces(7): the initial one maps all ids to themselves.
            user_namespace: !map.is_empty() && map != ["0", "0", "4294967295"],
            container: container(root),
            bounding: field("CapBnd:").and_then(|set| u64::from_str_radix(set, 16).ok()),
            // proc_pid_status(5): 2 is a filter.
            seccomp: field("Seccomp:") == Some("2"),
            no_new_privileges: field("NoNewPrivs:") == Some("1"),
        }
    }

    /// Whether the kernel lets nobody trace it, root included. Then it answers many
    /// things: its verifier, for example, knows no function that reads memory.
    pub fn is_locked_down(&self) -> bool {
        self.privileges.lockdown == Lockdown::Confidentiality
    }

    /// Whether the bounding set has `capability`.
    fn attainable(&self, capability: Capability) -> bool {
        let Some(set) = self.bounding else {
            return true;
        };
        let within = Privileges {
            permitted: Some(set),
            ..self.privileges.clone()
        };
        within.has(capability)
    }
}

/// Why something was refused, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The cause, as a clause without a final full stop.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
    /// Whether a permission is what is missing; otherwise a resource.
    pub permission: bool,
}

impl Remedy {
    /// The class of an error that it explains.
    pub fn kind(&self) -> ErrorKind {
        match self.permission {
            true => ErrorKind::Permission,
            false => ErrorKind::Internal,
        }
    }
}

/// What is known of the refusal `errno` of what was `asked`; `None` where the
/// cause is not one of permissions or resources.
pub fn of(asked: Asked, errno: Option<i32>, place: &Place) -> Option<Remedy> {
    let errno = errno?;
    if errno == libc::EMFILE || errno == libc::ENFILE {
        return Some(Remedy {
            cause: "there are too few file descriptors".to_owned(),
            hint: FILES_HINT,
            permission: false,
        });
    }
    let needed: &[Capability] = match asked {
        Asked::Programs => &[Capability::Bpf, Capability::Perfmon],
        Asked::Events | Asked::Rings => &[Capability::Perfmon],
        Asked::Files => &[Capability::DacReadSearch],
    };
    let refused = matches!(errno, libc::EPERM | libc::EACCES);
    let has = |capability: &Capability| place.privileges.has(*capability);
    if needed.iter().all(has) && !place.user_namespace {
        if asked != Asked::Files && place.is_locked_down() {
            return Some(locked_down());
        }
        // A seccomp filter may as well pretend that there is no such call.
        let filtered = place.seccomp && (refused || errno == libc::ENOSYS);
        return (refused || filtered).then(|| although_capable(asked, place));
    }
    // Not only EPERM: before it looks at capabilities, the kernel refuses maps
    // whose types it was not allowed to be told.
    Some(incapable(needed, place))
}

/// What lets eprof have what was refused it for want of a permission, here. Where
/// nothing here says why, it is a capability that was meant.
pub fn hint(asked: Asked) -> &'static str {
    of(asked, Some(libc::EACCES), &Place::here())
        .filter(|remedy| remedy.hint != OTHERS)
        .map_or(RECIPE, |remedy| remedy.hint)
}

fn permission(cause: impl Into<String>, hint: &'static str) -> Remedy {
    Remedy {
        cause: cause.into(),
        hint,
        permission: true,
    }
}

fn locked_down() -> Remedy {
    permission(
        "the kernel is locked down for confidentiality, which forbids tracing to root, too",
        "boot with lockdown=integrity on the kernel command line",
    )
}

/// It has the capabilities, and was refused all the same.
fn although_capable(asked: Asked, place: &Place) -> Remedy {
    let privileges = &place.privileges;
    if asked == Asked::Rings {
        return permission(
            "more memory would be locked than kernel.perf_event_mlock_kb and ulimit -l allow",
            "sudo sysctl kernel.perf_event_mlock_kb=8192   # or give eprof cap_ipc_lock, too",
        );
    }
    // The patch of Debian and Ubuntu knows CAP_SYS_ADMIN only.
    if let Some(level @ 3..) = privileges.perf_event_paranoid
        && asked == Asked::Events
        && !privileges.has(Capability::SysAdmin)
    {
        return permission(
            format!(
                "kernel.perf_event_paranoid is {level}, for which this kernel wants CAP_SYS_ADMIN"
            ),
            "sudo sysctl kernel.perf_event_paranoid=2   # or give eprof cap_sys_admin, too",
        );
    }
    let call = match asked {
        Asked::Programs => "bpf(2)",
        Asked::Events | Asked::Rings => "perf_event_open(2)",
        Asked::Files => "open(2)",
    };
    if place.seccomp {
        return permission(
            format!("a seccomp filter forbids {call}"),
            "start the container with --security-opt seccomp=unconfined (or --privileged), the \
             service without SystemCallFilter=",
        );
    }
    permission(
        format!("a security module forbids {call}, although eprof has the capabilities"),
        OTHERS,
    )
}

/// It lacks a capability that counts.
fn incapable(needed: &[Capability], place: &Place) -> Remedy {
    let names = |names: &[Capability]| {
        let names: Vec<&str> = names.iter().map(|one| one.name()).collect();
        names.join(" and ")
    };
    if place.user_namespace {
        return permission(
            "this is a user namespace, whose capabilities do not count for tracing",
            "run eprof as root outside of it; in a container: one without user namespace \
             (docker run --userns=host --privileged, sudo podman run --privileged)",
        );
    }
    let missing: Vec<Capability> = needed
        .iter()
        .copied()
        .filter(|&capability| !place.attainable(capability))
        .collect();
    if !missing.is_empty() {
        return permission(
            format!(
                "the bounding set of this container or service lacks {}, so that root has not \
                 got them either",
                names(&missing)
            ),
            ADD,
        );
    }
    let needed = names(needed);
    if place.no_new_privileges {
        return permission(
            format!("eprof lacks {needed}, and no_new_privs keeps it from getting them"),
            "run it outside of what sets no_new_privs: systemd's NoNewPrivileges=, docker's \
             --security-opt no-new-privileges, bwrap, a browser's or editor's sandbox",
        );
    }
    if place.root {
        return permission(format!("this root lacks {needed}"), ADD);
    }
    permission(format!("eprof lacks {needed}"), RECIPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(permitted: u64) -> Place {
        Place {
            privileges: Privileges {
                permitted: Some(permitted),
                perf_event_paranoid: Some(2),
                unprivileged_bpf_disabled: Some(2),
                kptr_restrict: Some(0),
                lockdown: Lockdown::None,
            },
            root: false,
            user_namespace: false,
            container: None,
            bounding: Some(0x1ff_ffff_ffff),
            seccomp: false,
            no_new_privileges: false,
        }
    }

    /// CAP_PERFMON and CAP_BPF.
    const BOTH: u64 = 1 << 38 | 1 << 39;

    fn told(asked: Asked, errno: i32, place: &Place) -> String {
        match of(asked, Some(errno), place) {
            Some(found) => format!("{} · {}", found.cause, found.hint),
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn each_cause_has_a_cure_that_works_there() {
        let plain = told(Asked::Programs, libc::EPERM, &place(0));
        assert!(
            plain.contains("sudo") && plain.contains("setcap"),
            "{plain}"
        );
        assert!(plain.contains("chmod 0750"), "{plain}");

        let mut container = place(0xa804_25fb);
        container.bounding = Some(0xa804_25fb);
        container.root = true;
        for asked in [Asked::Programs, Asked::Events] {
            let docker = told(asked, libc::EPERM, &container);
            assert!(docker.contains("--cap-add PERFMON"), "{docker}");
            assert!(docker.contains("--privileged"), "{docker}");
            assert!(
                !docker.contains("sudo") && !docker.contains("setcap"),
                "{docker}"
            );
        }

        let mut namespace = place(u64::MAX);
        namespace.user_namespace = true;
        let namespace = told(Asked::Programs, libc::EPERM, &namespace);
        assert!(namespace.contains("user namespace"), "{namespace}");

        let mut locked = place(u64::MAX);
        locked.privileges.lockdown = Lockdown::Confidentiality;
        for errno in [libc::EPERM, libc::EINVAL] {
            let locked = told(Asked::Programs, errno, &locked);
            assert!(locked.contains("lockdown=integrity"), "{locked}");
        }

        let mut filtered = place(u64::MAX);
        filtered.seccomp = true;
        for errno in [libc::EPERM, libc::ENOSYS] {
            let filtered = told(Asked::Programs, errno, &filtered);
            assert!(filtered.contains("seccomp=unconfined"), "{filtered}");
        }

        let mut nobody = place(0);
        nobody.no_new_privileges = true;
        let nobody = told(Asked::Programs, libc::EPERM, &nobody);
        assert!(nobody.contains("NoNewPrivileges="), "{nobody}");
    }

    #[test]
    fn debians_third_level_is_not_blamed_on_a_capability_that_is_there() {
        let mut place = place(BOTH);
        place.privileges.perf_event_paranoid = Some(3);
        let debian = told(Asked::Events, libc::EACCES, &place);
        assert!(debian.contains("perf_event_paranoid=2"), "{debian}");
        assert!(!debian.contains("CAP_PERFMON"), "{debian}");
        place.privileges.permitted = Some(u64::MAX);
        let other = told(Asked::Events, libc::EACCES, &place);
        assert!(other.contains("security module"), "{other}");
    }

    #[test]
    fn a_want_of_descriptors_is_not_one_of_permission() {
        for place in [place(0), place(u64::MAX)] {
            let found = of(Asked::Programs, Some(libc::EMFILE), &place);
            assert!(found.is_some_and(|found| {
                !found.permission
                    && found.hint.contains("ulimit -n")
                    && !found.hint.contains("sudo")
            }));
        }
    }

    #[test]
    fn other_answers_to_the_capable_are_no_matter_of_permission() {
        assert_eq!(told(Asked::Programs, libc::EINVAL, &place(BOTH)), "nothing");
        assert_eq!(of(Asked::Programs, None, &place(0)), None);
        // What is asked without permission is refused for whatever comes first.
        let early = told(Asked::Programs, libc::EINVAL, &place(0));
        assert!(early.contains("CAP_BPF and CAP_PERFMON"), "{early}");
    }
}
