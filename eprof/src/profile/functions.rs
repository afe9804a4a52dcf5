//! Rows by code: functions, modules, stacks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::attribute::{Price, StackCharge, ThreadCharge, UNNAMED};
use crate::kernel::TaskId;

use super::model::{FunctionKey, FunctionRow, ModuleRow, StackRow, SymbolFrame, ThreadRow};
use super::names::{Code, Names};
use super::width::{Parts, of_parts};

/// Sums over stacks.
#[derive(Debug, Default)]
struct Sum {
    own: Price,
    total: Price,
    samples: u64,
    parts: Parts,
}

impl Sum {
    fn lead(&mut self, thread: usize, price: Price, samples: u64) {
        self.own += price;
        self.samples = self.samples.saturating_add(samples);
        *self.parts.entry(thread).or_default() += price.full;
    }
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
    let position: BTreeMap<TaskId, usize> = threads
        .iter()
        .enumerate()
        .map(|(index, thread)| (thread.task, index))
        .collect();
    // Stacks that differ in addresses only are one.
    let mut stacks: BTreeMap<(usize, Vec<Code>), (Price, u64)> = BTreeMap::new();
    for charge in charges {
        let thread = position.get(&charge.task).or(position.get(&UNNAMED));
        let Some(&thread) = thread else { continue };
        let row = stacks
            .entry((thread, names.stack(charge.stack)))
            .or_default();
        row.0 += charge.price;
        row.1 = row.1.saturating_add(charge.samples);
    }

    let mut functions: BTreeMap<usize, Sum> = BTreeMap::new();
    let mut modules: BTreeMap<String, Sum> = BTreeMap::new();
    for ((thread, codes), &(price, samples)) in &stacks {
        // A recursive function contains itself, but counts once.
        let mut distinct: Vec<usize> = codes.iter().map(|code| code / 2).collect();
        let leaf = distinct.last().copied();
        distinct.sort_unstable();
        distinct.dedup();
        for function in distinct {
            functions.entry(function).or_default().total += price;
        }
        let Some(leaf) = leaf else { continue };
        let row = functions.entry(leaf).or_default();
        row.lead(*thread, price, samples);
        let key = names.function(2 * leaf);
        let module = module(&key);
        if !modules.contains_key(module) {
            modules.insert(module.to_owned(), Sum::default());
        }
        if let Some(row) = modules.get_mut(module) {
            row.lead(*thread, price, samples);
        }
    }

    let functions = functions.into_iter().map(|(function, sum)| FunctionRow {
        key: (*names.function(2 * function)).clone(),
        own: sum.own,
        total: sum.total,
        ci90: of_parts(&sum.parts, rows),
        samples: sum.samples,
    });
    let mut functions: Vec<_> = functions.collect();
    // Stable: ties stay in the order of their keys.
    functions.sort_by_key(|row| std::cmp::Reverse(row.own.full));
    let modules = modules.into_iter().map(|(module, sum)| ModuleRow {
        module,
        own: sum.own,
        ci90: of_parts(&sum.parts, rows),
        samples: sum.samples,
    });
    let mut modules: Vec<_> = modules.collect();
    modules.sort_by_key(|row| std::cmp::Reverse(row.own.full));
    // Threads that do the same have the same stacks.
    let mut shared: HashMap<Vec<Code>, Arc<[SymbolFrame]>> = HashMap::new();
    let stacks = stacks
        .into_iter()
        .map(|((thread, codes), (price, samples))| {
            let frames = || codes.iter().map(|&code| names.frame(code)).collect();
            let frames = match shared.get(&codes) {
                Some(frames) => Arc::clone(frames),
                None => {
                    let frames: Arc<[SymbolFrame]> = frames();
                    shared.insert(codes, Arc::clone(&frames));
                    frames
                }
            };
            StackRow {
                thread,
                frames,
                price,
                samples,
            }
        });
    ByCode {
        functions,
        modules,
        stacks: stacks.collect(),
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
