//! The capabilities that matter here.

/// A capability that eprof can make use of, by its bit
/// (`include/uapi/linux/capability.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_DAC_OVERRIDE`: ignores file permissions.
    DacOverride = 1,
    /// `CAP_DAC_READ_SEARCH`: reads any file, so also root-only meters.
    DacReadSearch = 2,
    /// `CAP_IPC_LOCK`: locks any amount of memory.
    IpcLock = 14,
    /// `CAP_SYS_ADMIN`: includes the two newer ones below.
    SysAdmin = 21,
    /// `CAP_SYS_RESOURCE`: lifts resource limits.
    SysResource = 24,
    /// `CAP_SYSLOG`: sees kernel addresses.
    Syslog = 34,
    /// `CAP_PERFMON`: CPU-wide perf events and tracing programs.
    Perfmon = 38,
    /// `CAP_BPF`: loads BPF programs.
    Bpf = 39,
}

impl Capability {
    /// Its name, as in capabilities(7).
    pub fn name(self) -> &'static str {
        match self {
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::IpcLock => "CAP_IPC_LOCK",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::SysResource => "CAP_SYS_RESOURCE",
            Self::Syslog => "CAP_SYSLOG",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }
}
