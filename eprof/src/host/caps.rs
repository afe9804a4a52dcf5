//! What this process may do: capabilities and the kernel's own switches.

use super::root::SysRoot;

/// A capability that eprof can make use of, by its bit
/// (`include/uapi/linux/capability.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_DAC_OVERRIDE`: ignores file permissions.
    DacOverride = 1,
    /// `CAP_DAC_READ_SEARCH`: reads any file, so also root-only meters.
    DacReadSearch = 2,
    /// `CAP_SYS_ADMIN`: includes the two newer ones below.
    SysAdmin = 21,
    /// `CAP_SYSLOG`: sees kernel addresses.
    Syslog = 34,
    /// `CAP_PERFMON`: CPU-wide perf events and tracing programs.
    Perfmon = 38,
    /// `CAP_BPF`: loads BPF programs.
    Bpf = 39,
}

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
    /// The effective capabilities of this process.
    pub effective: Option<u64>,
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
        let status = root
            .read("/proc/self/status")
            .or_else(|_| SysRoot::machine().read("/proc/self/status"))
            .unwrap_or_default();
        let lockdown = root
            .read("/sys/kernel/security/lockdown")
            .unwrap_or_default();
        Self {
            effective: effective(&status),
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
            self.effective
                .is_some_and(|set| set & (1 << capability as u32) != 0)
        };
        match capability {
            Capability::Perfmon | Capability::Bpf => bit(capability) || bit(Capability::SysAdmin),
            Capability::DacReadSearch => bit(capability) || bit(Capability::DacOverride),
            Capability::DacOverride | Capability::SysAdmin | Capability::Syslog => bit(capability),
        }
    }

    /// Whether CPU-wide perf events are allowed: `CAP_PERFMON`, or
    /// `perf_event_paranoid` of 0 or less (`Documentation/admin-guide/perf-security.rst`).
    pub fn may_open_cpu_events(&self) -> bool {
        self.has(Capability::Perfmon) || self.perf_event_paranoid.is_some_and(|level| level <= 0)
    }
}

fn effective(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(effective: u64, paranoid: i32) -> Privileges {
        Privileges {
            effective: Some(effective),
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
        assert_eq!(effective(status), Some(0x1ff_ffff_ffff));
        assert_eq!(effective("CapEff: zz"), None);
    }
}
