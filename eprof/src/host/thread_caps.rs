//! The capability sets of the calling thread, as the kernel keeps them
//! (capabilities(7), capget(2)).
//!
//! The C library has no wrappers. The calls act on the calling thread only, do
//! not allocate and take no locks, so every function here is async-signal-safe.
#![expect(unsafe_code, reason = "capability sets exist as raw system calls only")]

use nix::errno::Errno;

/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h: two words per set.
const VERSION_3: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct` of linux/capability.h.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct` of linux/capability.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The sets of a thread, a bit for each capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadCaps {
    /// What it may do now.
    pub effective: u64,
    /// What it may make effective.
    pub permitted: u64,
    /// What may pass through an exec.
    pub inheritable: u64,
}

impl ThreadCaps {
    /// Those of the calling thread.
    ///
    /// # Errors
    /// What the kernel said; there is no expected cause.
    pub fn get() -> Result<Self, Errno> {
        let mut header = header();
        let mut words = [Word::default(); 2];
        // SAFETY: header and words have the layout of version 3, which is what
        // the header asks for, and live through the call.
        Errno::result(unsafe {
            libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr())
        })?;
        let [low, high] = words;
        let set = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        Ok(Self {
            effective: set(low.effective, high.effective),
            permitted: set(low.permitted, high.permitted),
            inheritable: set(low.inheritable, high.inheritable),
        })
    }

    /// Makes them those of the calling thread. A lowered inheritable set lowers
    /// the ambient set with it.
    ///
    /// # Errors
    /// `EPERM` for more than is permitted; the kernel never refuses to take away.
    pub fn set(self) -> Result<(), Errno> {
        let mut header = header();
        let word = |shift: u32| {
            let half = |set: u64| (set >> shift & 0xffff_ffff) as u32;
            Word {
                effective: half(self.effective),
                permitted: half(self.permitted),
                inheritable: half(self.inheritable),
            }
        };
        let words = [word(0), word(32)];
        // SAFETY: as above.
        Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, words.as_ptr()) })
            .map(drop)
    }
}

/// Of the calling thread.
fn header() -> Header {
    Header {
        version: VERSION_3,
        pid: 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    #[test]
    fn the_sets_are_those_that_proc_shows() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let shown = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
        };
        let sets = ThreadCaps::get().unwrap();
        assert_eq!(sets.effective, shown("CapEff:"));
        assert_eq!(sets.permitted, shown("CapPrm:"));
        assert_eq!(sets.inheritable, shown("CapInh:"));
        // What is there may be set again.
        sets.set().unwrap();
        assert_eq!(ThreadCaps::get().unwrap(), sets);
    }
}
