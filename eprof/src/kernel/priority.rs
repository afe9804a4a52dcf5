//! Being run soon after waking up.
//!
//! A late wake-up makes the energy at a boundary less certain. eprof's few microseconds
//! are the same whenever they are spent. So it asks for the highest priority among
//! ordinary threads: the scheduler then runs it at once beside busy ones, which still
//! cannot starve.
#![expect(unsafe_code, reason = "setpriority(2) has no safe form")]

/// The calling thread has the highest priority as long as this lives, if the kernel
/// allows it (CAP_SYS_NICE).
#[derive(Debug)]
pub struct Priority {
    /// The nice value before; `None` where it was left as it was.
    before: Option<i32>,
}

impl Priority {
    /// Raises the priority of the calling thread. Threads and processes that it starts
    /// meanwhile inherit it.
    pub fn raise() -> Self {
        // SAFETY: takes numbers only. The value −1 may also be an error, in
        // which case it is restored too high by one at most.
        let before = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        Self {
            before: set(-20).then_some(before),
        }
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            set(before);
        }
    }
}

/// Sets the nice value of the calling thread (on Linux, `who` 0 with
/// `PRIO_PROCESS` is the thread).
fn set(nice: i32) -> bool {
    // SAFETY: takes numbers only.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) == 0 }
}
