//! Rows by code: functions, modules, stacks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::attribute::{Energy, StackCharge, ThreadCharge, UNNAMED};
use crate::measurement::{COUNTERS, TaskId};
use crate::unit::Nanos;

use super::model::{FunctionKey, FunctionRow, ModuleRow, StackRow, SymbolFrame, ThreadRow};
use super::names::{Code, Names};
use super::shares::{self, Seen};
use super::width::{Parts, of_parts};

/// A thread's stack, with its energy and how often it was sampled.
struct Charge<'n> {
    thread: usize,
    codes: &'n [Code],
    energy: Energy,
    samples: u64,
    /// What its samples counted; in the end its part of what the thread counted.
    counts: [u64; COUNTERS],
    /// Its part of the thread's CPU time.
    cpu: Nanos,
}

/// Sums over stacks.
#[derive(Clone, Debug, Default)]
struct Sum {
    own: Energy,
    cpu: Nanos,
    counts: [u64; COUNTERS],
    samples: u64,
    parts: Parts,
}

impl Sum {
    fn lead(&mut self, charge: &Charge<'_>) {
        let Charge {
            thread,
            codes: _,
            energy,
            samples,
            counts,
            cpu,
        } = *charge;
        self.own += energy;
        self.cpu += cpu;
        add(&mut self.counts, &counts);
        self.samples = self.samples.saturating_add(samples);
        *self.parts.entry(thread).or_default() += energy.with_idle;
    }

    fn add(&mut self, other: &Self) {
        let Self {
            own,
            cpu,
            counts,
            samples,
            parts,
        } = other;
        self.own += *own;
        self.cpu += *cpu;
        add(&mut self.counts, counts);
        self.samples = self.samples.saturating_add(*samples);
        for (&thread, &part) in parts {
            *self.parts.entry(thread).or_default() += part;
        }
    }
}

/// Adds numbers by counter.
pub(super) fn add(sums: &mut [u64; COUNTERS], more: &[u64; COUNTERS]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.saturating_add(*more);
    }
}

/// What was charged to all stacks that a function is on.
#[derive(Clone, Debug, Default)]
struct Total {
    energy: Energy,
    /// The last of them, counted from one: a recursive function contains
    /// itself, but counts once.
    last: usize,
}

/// All rows by code.
#[derive(Debug)]
pub(super) struct ByCode {
    pub(super) functions: Vec<FunctionRow>,
    pub(super) modules: Vec<ModuleRow>,
    pub(super) stacks: Vec<StackRow>,
}

/// Resolves the `charges` of stacks, of `threads` in the order of the profile,
/// where they are the `rows`.
pub(super) fn by_code(
    charges: &[StackCharge],
    threads: &[&ThreadCharge],
    rows: &[ThreadRow],
    names: &Names,
) -> ByCode {
    let mut stacks = distinct(charges, threads, names);
    share(&mut stacks, rows);
    let mut sums = vec![Sum::default(); names.functions()];
    let mut totals = vec![Total::default(); names.functions()];
    for (number, charge) in (1..).zip(&stacks) {
        for code in charge.codes {
            if let Some(total) = totals.get_mut(code / 2)
                && std::mem::replace(&mut total.last, number) != number
            {
                total.energy += charge.energy;
            }
        }
        let leaf = charge.codes.last();
        if let Some(sum) = leaf.and_then(|code| sums.get_mut(code / 2)) {
            sum.lead(charge);
        }
    }
    let mut functions = Vec::new();
    let mut modules: BTreeMap<String, Sum> = BTreeMap::new();
    for (function, (sum, total)) in sums.into_iter().zip(totals).enumerate() {
        if total.last == 0 {
            continue;
        }
        let key = names.function(2 * function);
        if !sum.parts.is_empty() {
            let module = modules.entry(module(&key).to_owned());
            module.or_default().add(&sum);
        }
        functions.push(FunctionRow {
            key: (*key).clone(),
            own: sum.own,
            total: total.energy,
            ci90: of_parts(&sum.parts, rows),
            cpu: sum.cpu,
            counts: sum.counts,
            samples: sum.samples,
        });
    }
    // Stable: ties stay in the order of their keys.
    functions.sort_by_key(|row| std::cmp::Reverse(row.own.with_idle));
    let modules = modules.into_iter().map(|(module, sum)| ModuleRow {
        module,
        own: sum.own,
        ci90: of_parts(&sum.parts, rows),
        samples: sum.samples,
    });
    let mut modules: Vec<_> = modules.collect();
    modules.sort_by_key(|row| std::cmp::Reverse(row.own.with_idle));
    // Threads that do the same have the same stacks.
    let mut shared: HashMap<&[Code], Arc<[SymbolFrame]>> = HashMap::new();
    let stacks = stacks.iter().map(|charge| {
        let frames = || charge.codes.iter().map(|&code| names.frame(code)).collect();
        let frames = shared.entry(charge.codes).or_insert_with(frames);
        StackRow {
            thread: charge.thread,
            frames: Arc::clone(frames),
            energy: charge.energy,
            cpu: charge.cpu,
            counts: charge.counts,
            samples: charge.samples,
        }
    });
    ByCode {
        functions,
        modules,
        stacks: stacks.collect(),
    }
}

/// The charges by thread and frames: stacks that differ in addresses only are
/// one.
fn distinct<'n>(
    charges: &[StackCharge],
    threads: &[&ThreadCharge],
    names: &'n Names,
) -> Vec<Charge<'n>> {
    let position: BTreeMap<TaskId, usize> = threads
        .iter()
        .enumerate()
        .map(|(index, thread)| (thread.task, index))
        .collect();
    let stacks = charges.iter().filter_map(|charge| {
        let thread = position.get(&charge.task).or(position.get(&UNNAMED));
        Some(Charge {
            thread: *thread?,
            codes: names.stack(charge.stack),
            energy: charge.energy,
            samples: charge.samples,
            counts: charge.counts,
            cpu: Nanos::ZERO,
        })
    });
    let mut stacks: Vec<_> = stacks.collect();
    stacks.sort_unstable_by(|a, b| (a.thread, a.codes).cmp(&(b.thread, b.codes)));
    stacks.dedup_by(|next, sum| {
        let same = (next.thread, next.codes) == (sum.thread, sum.codes);
        if same {
            sum.energy += next.energy;
            sum.samples = sum.samples.saturating_add(next.samples);
            add(&mut sum.counts, &next.counts);
        }
        same
    });
    stacks
}

/// Divides what each thread did over its stacks, which follow each other.
fn share(stacks: &mut [Charge<'_>], threads: &[ThreadRow]) {
    for stacks in stacks.chunk_by_mut(|a, b| a.thread == b.thread) {
        let first = stacks.first().map(|of| of.thread);
        let Some(thread) = first.and_then(|thread| threads.get(thread)) else {
            continue;
        };
        let seen: Vec<Seen> = stacks
            .iter()
            .map(|of| Seen {
                samples: of.samples,
                energy: of.energy.with_idle.0,
                counts: of.counts,
            })
            .collect();
        for (stack, share) in stacks.iter_mut().zip(shares::of_thread(thread, &seen)) {
            stack.cpu = share.cpu;
            stack.counts = share.counts;
        }
    }
}

/// The module of a function; what is in no module is its own.
fn module(key: &FunctionKey) -> &str {
    if key.module.is_empty() {
        &key.function
    } else {
        &key.module
    }
}
