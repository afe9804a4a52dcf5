//! The accounts of an interval as a file has them: of each CPU and of each
//! thread the time and the events that the header lists, in its order.
//! `docs/recording-format.md` tells the layout.

use crate::measurement::{CpuAccount, CpuGroupId, Event, Signals, TaskId, ThreadAccount};
use crate::unit::Nanos;

use super::check::MAX_CPUS;
use super::format::MAX_THREADS;
use super::varint::{put, take};

/// So many accounts have room from the start.
const ROOM: usize = 256;

/// Adds the accounts of CPUs to the end of `out`.
pub(super) fn encode_cpus(accounts: &[CpuAccount], events: &[Event], out: &mut Vec<u8>) {
    put(out, accounts.len() as u64);
    for account in accounts {
        put(out, account.cpu.into());
        for class in account.classes() {
            put_signals(&class, events, out);
        }
    }
}

/// Adds the accounts of threads to the end of `out`.
pub(super) fn encode_threads(accounts: &[ThreadAccount], events: &[Event], out: &mut Vec<u8>) {
    put(out, accounts.len() as u64);
    for ThreadAccount {
        task,
        group,
        signals,
    } in accounts
    {
        put(out, task.0.into());
        put(out, group.0.into());
        put_signals(signals, events, out);
    }
}

/// Takes the accounts of CPUs from the front of `bytes`; `None` where they are
/// not there.
pub(super) fn decode_cpus(bytes: &mut &[u8], events: &[Event]) -> Option<Vec<CpuAccount>> {
    let (mut accounts, length) = list(bytes, MAX_CPUS as usize)?;
    for _ in 0..length {
        accounts.push(CpuAccount {
            cpu: take(bytes)?.try_into().ok()?,
            kernel: take_signals(bytes, events)?,
            other: take_signals(bytes, events)?,
            eprof: take_signals(bytes, events)?,
            target: take_signals(bytes, events)?,
        });
    }
    Some(accounts)
}

/// Takes the accounts of threads from the front of `bytes`; `None` where they
/// are not there.
pub(super) fn decode_threads(bytes: &mut &[u8], events: &[Event]) -> Option<Vec<ThreadAccount>> {
    let (mut accounts, length) = list(bytes, MAX_THREADS)?;
    for _ in 0..length {
        accounts.push(ThreadAccount {
            task: TaskId(take(bytes)?.try_into().ok()?),
            group: CpuGroupId(take(bytes)?.try_into().ok()?),
            signals: take_signals(bytes, events)?,
        });
    }
    Some(accounts)
}

/// An empty list, and how many items it is going to have; `None` where those
/// are more than `most`.
fn list<T>(bytes: &mut &[u8], most: usize) -> Option<(Vec<T>, usize)> {
    let length = usize::try_from(take(bytes)?).ok()?;
    // It grows with what is really there, not with what the length promises.
    (length <= most).then(|| (Vec::with_capacity(length.min(ROOM)), length))
}

fn put_signals(signals: &Signals, events: &[Event], out: &mut Vec<u8>) {
    put(out, signals.on_cpu.0);
    for &event in events {
        put(out, signals[event]);
    }
}

fn take_signals(bytes: &mut &[u8], events: &[Event]) -> Option<Signals> {
    let mut signals = Signals::of_time(Nanos(take(bytes)?));
    for &event in events {
        signals[event] = take(bytes)?;
    }
    Some(signals)
}
