//! The limits of a recording, and the rules of its simplest parts.

use crate::caveat::Caveat;
use crate::measurement::Counter;
use crate::unit::{Nanos, Timestamp};

/// Longest string in bytes. An argument has at most 128 KiB
/// (`MAX_ARG_STRLEN`, `include/uapi/linux/binfmts.h`), and at most three times
/// that after invalid UTF-8 was replaced.
pub const MAX_STRING: usize = 1 << 20;

/// Longest name of a thread in bytes. The kernel has 15 (`TASK_COMM_LEN`,
/// `include/linux/sched.h`), and at most three times that after invalid UTF-8 was
/// replaced.
pub const MAX_COMM: usize = 64;

/// Longest build id in bytes. The usual one has 20; the linker takes any.
pub const MAX_BUILD_ID: usize = 256;

/// Most frames of one stack.
pub const MAX_DEPTH: u16 = 4096;

/// Most functions that one frame may stand for (itself and the inlined).
pub const MAX_INLINED: usize = 1024;

/// Most code segments of one object.
pub const MAX_SEGMENTS: usize = 1024;

/// Most labels of one recording.
pub const MAX_LABELS: usize = 64;

/// Most arguments of a command: the capture keeps a megabyte of them, and a sign that
/// there were more. Empty ones would take much room, and none in a file.
pub const MAX_ARGUMENTS: usize = MAX_STRING + 1;

/// Most caveats of a header, and of an end.
pub const MAX_CAVEATS: usize = 1 << 16;

/// Largest time and length of time: 36 years of uptime in nanoseconds. Sums
/// of many stay exact.
pub const MAX_TIME: u64 = 1 << 60;

/// Largest logical CPU number plus one; the kernel's own limit is 8192
/// (`NR_CPUS` in `arch/x86/Kconfig`).
pub const MAX_CPUS: u32 = 1 << 16;

/// Most meters, and most CPU groups: each thread has an account for each of them.
pub const MAX_METERS: u32 = 1024;

/// The rule that what precedes the header breaks.
pub(in crate::recording) const NO_HEADER: &str = "does not begin with a header";

/// A broken rule, as the second half of a sentence that begins with the place.
pub(super) type Broken = String;

/// Refuses an id that is not the next one.
pub(super) fn next(id: u32, next: u32, what: &str) -> Result<(), Broken> {
    if id == next {
        return Ok(());
    }
    Err(format!("has {what} {id} where {what} {next} must be"))
}

/// Refuses an id that is not defined yet.
pub(super) fn known(id: u32, defined: u32, what: &str) -> Result<(), Broken> {
    if id < defined {
        return Ok(());
    }
    Err(format!("uses {what} {id}, which it does not define"))
}

/// Counts one more definition.
pub(super) fn more(count: u32) -> Result<u32, Broken> {
    count
        .checked_add(1)
        .ok_or_else(|| "defines too much".to_owned())
}

/// Refuses a string that is too long.
pub(super) fn string(text: &str) -> Result<(), Broken> {
    if text.len() <= MAX_STRING {
        return Ok(());
    }
    Err(format!("has a string of {} bytes", text.len()))
}

/// Refuses a thread's name that no kernel has.
pub(super) fn comm(text: &str) -> Result<(), Broken> {
    if text.len() <= MAX_COMM {
        return Ok(());
    }
    Err(format!("has a thread whose name has {} bytes", text.len()))
}

/// Refuses a time that no clock shows.
pub(super) fn time(at: Timestamp) -> Result<(), Broken> {
    length(Nanos(at.0))
}

/// Refuses a length of time that nobody lived.
pub(super) fn length(time: Nanos) -> Result<(), Broken> {
    if time.0 <= MAX_TIME {
        return Ok(());
    }
    Err(format!("has a time of {} ns", time.0))
}

/// Refuses what is not a finite number from zero up.
pub(super) fn amount(value: f64, what: &str) -> Result<(), Broken> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(format!("has {what} of {value}"))
}

/// Refuses a list of counters that does not ascend.
pub(super) fn counters(counters: &[Counter]) -> Result<(), Broken> {
    if counters.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    Err("has a list of counters that does not ascend".into())
}

/// Checks caveats.
pub(super) fn caveats(caveats: &[Caveat]) -> Result<(), Broken> {
    if caveats.len() > MAX_CAVEATS {
        return Err(format!("has {} caveats", caveats.len()));
    }
    for caveat in caveats {
        string(&caveat.code)?;
        string(&caveat.sentence)?;
        string(caveat.hint.as_deref().unwrap_or_default())?;
    }
    Ok(())
}
