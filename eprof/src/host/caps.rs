//! What this process may do: capabilities and the kernel's own switches.

pub use super::capability::Capability;
use super::elevation;
use super::root::SysRoot;

/// The kernel's lockdown mode (`kernel_lockdown(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lockdown {
    /// No lockdown, or a kernel without it.
    None,
    /// Code cannot be put into the kernel; tracing still works.
    Integrity,
    /// Nothing can be read out of the kernel either: no BPF tracing.
    Confidentiality,
}

/// Permissions and switches; `None` where unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privileges {
    /// The capabilities of this process: those that are effective, or that it
    /// can raise (see [`super::elevation`]).
    pub permitted: Option<u64>,
    /// `kernel.perf_event_paranoid`.
    pub perf_event_paranoid: Option<i32>,
    /// `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_bpf_disabled: Option<i32>,
    /// `kernel.kptr_restrict`.
    pub kptr_restrict: Option<i32>,
    /// The lockdown mode.
    pub lockdown: Lockdown,
}

impl Privileges {
    /// Reads them below `root`; the capabilities are those of this process,
    /// from the machine's own `/proc/self` where the root has none.
    pub fn read(root: &SysRoot) -> Self {
        let switch = |name: &str| -> Option<i32> {
            let text = root.read(format!("/proc/sys/kernel/{name}")).ok()?;
            text.trim().parse().ok()
        };
        let status = status(root);
        let lockdown = root
            .read("/sys/kernel/security/lockdown")
            .unwrap_or_default();
        Self {
            permitted: permitted(&status, elevation::is_elevated()),
            perf_event_paranoid: switch("perf_event_paranoid"),
            unprivileged_bpf_disabled: switch("unprivileged_bpf_disabled"),
            kptr_restrict: switch("kptr_restrict"),
            lockdown: if lockdown.contains("[confidentiality]") {
                Lockdown::Confidentiality
            } else if lockdown.contains("[integrity]") {
                Lockdown::Integrity
            } else {
                Lockdown::None
            },
        }
    }

    /// Whether the process has `capability`. `CAP_SYS_ADMIN` stands in for
    /// `CAP_PERFMON` and `CAP_BPF`, as the kernel's `perfmon_capable` and
    /// `bpf_capable` have it.
    pub fn has(&self, capability: Capability) -> bool {
        let bit = |capability: Capability| {
            self.permitted
                .is_some_and(|set| set & (1 << capability as u32) != 0)
        };
        match capability {
            Capability::Perfmon | Capability::Bpf => bit(capability) || bit(Capability::SysAdmin),
            Capability::DacReadSearch => bit(capability) || bit(Capability::DacOverride),
            Capability::DacOverride
            | Capability::IpcLock
            | Capability::SysAdmin
            | Capability::SysResource
            | Capability::Syslog => bit(capability),
        }
    }

    /// Whether CPU-wide perf events are allowed: `CAP_PERFMON`, or
    /// `perf_event_paranoid` of 0 or less (`Documentation/admin-guide/perf-security.rst`).
    pub fn may_open_cpu_events(&self) -> bool {
        self.has(Capability::Perfmon) || self.perf_event_paranoid.is_some_and(|level| level <= 0)
    }
}

/// What `/proc` says of this thread: below `root`, or of the machine where the
/// root has none. (Threads that differ exist in tests, and while a file is
/// written for somebody.)
pub(super) fn status(root: &SysRoot) -> String {
    let below = match root.is_machine() {
        true => Err(std::io::ErrorKind::NotFound.into()),
        false => root.read("/proc/self/status"),
    };
    below
        .or_else(|_| SysRoot::machine().read("/proc/thread-self/status"))
        .or_else(|_| SysRoot::machine().read("/proc/self/status"))
        .unwrap_or_default()
}

fn permitted(status: &str, elevated: bool) -> Option<u64> {
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    match elevated {
        true => set("CapPrm:"),
        false => set("CapEff:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(permitted: u64, paranoid: i32) -> Privileges {
        Privileges {
            permitted: Some(permitted),
            perf_event_paranoid: Some(paranoid),
            unprivileged_bpf_disabled: None,
            kptr_restrict: None,
            lockdown: Lockdown::None,
        }
    }

    #[test]
    fn sys_admin_stands_in_for_the_newer_two() {
        let admin = with(1 << 21, 2);
        assert!(admin.has(Capability::Bpf) && admin.may_open_cpu_events());
        let none = with(0, 2);
        assert!(!none.has(Capability::Bpf) && !none.may_open_cpu_events());
        assert!(with(0, 0).may_open_cpu_events());
    }

    #[test]
    fn the_status_line_is_hexadecimal() {
        let status = "Name:\tx\nCapEff:\t000001ffffffffff\n";
        assert_eq!(permitted(status, false), Some(0x1ff_ffff_ffff));
        assert_eq!(permitted("CapEff: zz", false), None);
        let lowered = "CapPrm:\t000000c400000004\nCapEff:\t0000000000000000\n";
        assert_eq!(permitted(lowered, true), Some(0xc4_0000_0004));
        assert_eq!(permitted(lowered, false), Some(0));
    }
}
