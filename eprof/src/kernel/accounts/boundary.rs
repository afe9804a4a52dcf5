//! The boundary between two intervals, see [`eprof_common::Control`].

use std::mem::offset_of;
use std::sync::atomic::Ordering::{Acquire, SeqCst};
use std::sync::atomic::fence;

use eprof_common::{Cell, Control, CpuCell, CpuState, cpu};

use super::cell;
use super::shared::Shared;
use crate::clock;
use crate::kernel::loader::program::Program;
use crate::measurement::CpuAccount;
use crate::unit::{Nanos, Timestamp};

/// How far in the future a boundary is set: longer than it takes to store it,
/// so that no program passes it while it still sees the old epoch.
const AHEAD: Nanos = Nanos(2_000);
/// How often a CPU is asked to close its slice. It refuses only while an exec
/// hook is at it, for less than a microsecond.
const ATTEMPTS: u32 = 1000;

/// What happened at one boundary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::kernel) struct Boundary {
    /// When it is.
    pub(in crate::kernel) at: Timestamp,
    /// How late it became known: time by which slices that ended meanwhile
    /// may be charged to the wrong interval.
    pub(in crate::kernel) late: Nanos,
    /// CPUs that did not close their slice.
    pub(in crate::kernel) unflushed: u32,
}

/// A boundary that was set, and may still lie in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel) struct Armed {
    /// The number of the interval that begins there.
    pub(in crate::kernel) epoch: u64,
    /// When it is.
    pub(in crate::kernel) at: Timestamp,
    /// How late it became known.
    pub(in crate::kernel) late: Nanos,
}

/// Sets the boundary at which interval `epoch` begins, at `at` or, where that
/// has passed or almost so, now. The interval before must have begun, and the
/// one before that must have been collected.
///
/// Until `at`, the programs see the new epoch and a boundary in the future. They charge
/// what ends before it to `epoch - 1`, as they did when they saw the old epoch and its
/// boundary in the past. So it does not matter when the two stores become visible, as
/// long as that is before `at`.
pub(in crate::kernel) fn arm(control: &Shared<Control>, epoch: u64, at: Timestamp) -> Armed {
    let at = at.max(clock::now() + AHEAD);
    control.u64(0, offset(epoch)).store(at.0, SeqCst);
    control
        .u64(0, offset_of!(Control, epoch))
        .store(epoch, SeqCst);
    let late = clock::now().since(at);
    Armed { epoch, at, late }
}

/// Moves a boundary that is still in the future to an earlier time, at the earliest
/// now. A later `at`, or a boundary that has passed, changes nothing.
///
/// Safe for the same reason: a program that read the old boundary had read its
/// clock before, so before the store, so before both boundaries; with either
/// of them it charges its slice to the interval before. (The other way round,
/// a program might already have gone past the earlier boundary.)
pub(in crate::kernel) fn advance(control: &Shared<Control>, armed: &mut Armed, at: Timestamp) {
    let at = at.max(clock::now() + AHEAD);
    if at < armed.at {
        control.u64(0, offset(armed.epoch)).store(at.0, SeqCst);
        armed.late = clock::now().since(at);
        armed.at = at;
    }
}

/// Where the boundary at which `epoch` begins is in [`Control`].
fn offset(epoch: u64) -> usize {
    offset_of!(Control, boundary) + if epoch.is_multiple_of(2) { 0 } else { 8 }
}

/// Waits until the boundary has passed and every CPU has closed the slice that
/// straddles it. Idle CPUs have none, and are not woken unless `everyone` is
/// asked.
pub(in crate::kernel) fn cross(
    cpus: &Shared<CpuState>,
    online: &[u32],
    flush: &Program,
    armed: Armed,
    everyone: bool,
) -> Boundary {
    let Armed { epoch, at, late } = armed;
    // A boundary that was set long before has passed; else this takes as long as
    // AHEAD.
    while clock::now() <= at {
        std::hint::spin_loop();
    }
    // The epoch is visible before anyone's `running` is read.
    fence(SeqCst);
    let mut crossed = Boundary {
        at,
        late,
        unflushed: 0,
    };
    for &number in online {
        let index = number as usize;
        if index >= cpus.len() {
            crossed.unflushed += 1;
            continue;
        }
        let running = cpus.u32(index, offset_of!(CpuState, running));
        if (everyone || running.load(Acquire) != 0) && !flush_one(cpus, flush, number, epoch) {
            crossed.unflushed += 1;
        }
    }
    crossed
}

fn flush_one(cpus: &Shared<CpuState>, flush: &Program, number: u32, epoch: u64) -> bool {
    let flushed = cpus.u64(number as usize, offset_of!(CpuState, flushed));
    for _ in 0..ATTEMPTS {
        if flush.run(Some(number)).is_err() {
            // The CPU went offline: then it is idle.
            return true;
        }
        if flushed.load(Acquire) == epoch {
            return true;
        }
        std::hint::spin_loop();
    }
    false
}

/// Takes what a CPU did in the interval with `parity`, which is no longer
/// current, and zeroes it.
pub(in crate::kernel) fn collect(
    cpus: &Shared<CpuState>,
    number: u32,
    parity: usize,
) -> CpuAccount {
    let cells = offset_of!(CpuState, cells) + parity * size_of::<CpuCell>();
    let take = |class: usize| {
        let cell = cells + class * size_of::<Cell>();
        cell::take(cpus, number as usize, cell)
    };
    CpuAccount {
        cpu: number,
        kernel: take(cpu::KERNEL),
        other: take(cpu::OTHER),
        eprof: take(cpu::EPROF),
        target: take(cpu::TARGET),
    }
}
