//! The profiles of several runs, added up: ranks of a job, hosts of a cluster,
//! repeats.
//!
//! Everything adds up to the microjoule, in the sum as in each part. What is
//! common to the runs (functions, modules, CPUs by their number, meters by
//! their name) is one row; processes, threads and stacks stay those of their
//! run. Frames of equal stacks are kept once, so that another run like those
//! before it takes little memory.
//!
//! Half widths: in the accounts, what the times of updates and the number of
//! samples cause is independent from run to run and adds in quadrature; what
//! the idle power and the weights cause may go the same way in all runs, and
//! adds up. Of functions and modules only the whole is known, which adds up
//! too: an upper bound.

mod about;
mod meters;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::attribute::Account;
use crate::caveat::{Caveat, Tally};
use crate::measurement::Loss;
use crate::unit::{Microjoules, Nanos};

use super::functions::add;
use super::model::{
    CpuRow, FunctionKey, FunctionRow, MemberRow, ModuleRow, ProcessKey, ProcessRow, Profile,
    StackRow, SymbolFrame, ThreadRow,
};

use about::About;
use meters::Meters;

/// Profiles that are being added up.
#[derive(Debug, Default)]
pub struct Sum {
    about: Option<About>,
    meters: Meters,
    members: Vec<MemberRow>,
    processes: Vec<ProcessRow>,
    threads: Vec<ThreadRow>,
    functions: BTreeMap<FunctionKey, FunctionRow>,
    modules: BTreeMap<String, ModuleRow>,
    cpus: BTreeMap<u32, CpuRow>,
    stacks: Vec<StackRow>,
    frames: HashSet<Arc<[SymbolFrame]>>,
    losses: Loss,
    caveats: Tally,
}

impl Sum {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the profile of a run that is told from others by `labels`.
    pub fn add(&mut self, profile: Profile, labels: BTreeMap<String, String>) {
        let member = self.members.len();
        let ids = self.meters.add(&profile);
        self.members.push(row(&profile, labels));
        let Profile {
            summary,
            processes,
            threads,
            functions,
            modules,
            cpus,
            stacks,
            losses,
            caveats,
            ..
        } = profile;
        match &mut self.about {
            Some(about) => about.add(summary),
            None => self.about = Some(About::new(summary)),
        }
        let own = |key: ProcessKey| ProcessKey { member, ..key };
        let processes = processes.into_iter().map(|row| ProcessRow {
            key: own(row.key),
            parent: row.parent.map(own),
            ..row
        });
        self.processes.extend(processes);
        let before = self.threads.len();
        let threads = threads.into_iter().map(|row| ThreadRow {
            process: own(row.process),
            meters: row
                .meters
                .iter()
                .filter_map(|(id, energy)| Some((*ids.get(id)?, *energy)))
                .collect(),
            ..row
        });
        self.threads.extend(threads);
        for row in functions {
            match self.functions.get_mut(&row.key) {
                Some(sum) => add_function(sum, &row),
                None => drop(self.functions.insert(row.key.clone(), row)),
            }
        }
        for row in modules {
            match self.modules.get_mut(&row.module) {
                Some(sum) => add_module(sum, &row),
                None => drop(self.modules.insert(row.module.clone(), row)),
            }
        }
        for row in cpus {
            match self.cpus.get_mut(&row.cpu) {
                Some(sum) => add_cpu(sum, &row),
                None => drop(self.cpus.insert(row.cpu, row)),
            }
        }
        for row in stacks {
            let frames = self.shared(row.frames);
            self.stacks.push(StackRow {
                thread: before.saturating_add(row.thread),
                frames,
                ..row
            });
        }
        for (reason, count) in losses.0 {
            self.losses.count(&reason, count);
        }
        self.caveats.add(&caveats);
    }

    /// The same frames, kept once.
    fn shared(&mut self, frames: Arc<[SymbolFrame]>) -> Arc<[SymbolFrame]> {
        if let Some(known) = self.frames.get(&frames) {
            return Arc::clone(known);
        }
        self.frames.insert(Arc::clone(&frames));
        frames
    }

    /// The sum, with `caveats` of what holds the runs together; `None` of
    /// nothing.
    pub fn finish(mut self, caveats: Vec<Caveat>) -> Option<Profile> {
        about::name(&mut self.members);
        let overlap = about::overlaps(&mut self.members);
        let mut all = caveats;
        all.extend(overlap);
        all.extend(self.caveats.finish());
        let mut processes = self.processes;
        processes.sort_by_key(|row| (Reverse(row.energy.with_idle), row.key));
        let (threads, stacks) = in_order(self.threads, self.stacks);
        let mut functions: Vec<_> = self.functions.into_values().collect();
        // Stable: ties stay in the order of their keys.
        functions.sort_by_key(|row| Reverse(row.own.with_idle));
        let mut modules: Vec<_> = self.modules.into_values().collect();
        modules.sort_by_key(|row| Reverse(row.own.with_idle));
        let (ledger, meters) = self.meters.finish();
        Some(Profile {
            summary: self.about?.finish(&self.members, meters),
            members: self.members,
            ledger,
            processes,
            threads,
            functions,
            modules,
            cpus: self.cpus.into_values().collect(),
            stacks,
            losses: self.losses,
            caveats: all,
        })
    }
}

fn add_function(sum: &mut FunctionRow, row: &FunctionRow) {
    let FunctionRow {
        key: _,
        own,
        total,
        ci90,
        cpu,
        counts,
        samples,
    } = row;
    sum.own += *own;
    sum.total += *total;
    sum.ci90 += *ci90;
    sum.cpu += *cpu;
    add(&mut sum.counts, counts);
    sum.samples = sum.samples.saturating_add(*samples);
}

fn add_module(sum: &mut ModuleRow, row: &ModuleRow) {
    let ModuleRow {
        module: _,
        own,
        ci90,
        samples,
    } = row;
    sum.own += *own;
    sum.ci90 += *ci90;
    sum.samples = sum.samples.saturating_add(*samples);
}

fn add_cpu(sum: &mut CpuRow, row: &CpuRow) {
    let CpuRow {
        cpu: _,
        energy,
        on_cpu,
    } = row;
    sum.energy += *energy;
    sum.on_cpu += *on_cpu;
}

/// Most energy first; the stacks follow their threads.
fn in_order(threads: Vec<ThreadRow>, mut stacks: Vec<StackRow>) -> (Vec<ThreadRow>, Vec<StackRow>) {
    let mut order: Vec<(usize, ThreadRow)> = threads.into_iter().enumerate().collect();
    order.sort_by_key(|(_, row)| {
        (
            Reverse(row.energy.with_idle),
            row.process,
            row.tid,
            row.start,
        )
    });
    let places = order.iter().enumerate().map(|(new, (old, _))| (*old, new));
    let places: HashMap<usize, usize> = places.collect();
    for row in &mut stacks {
        // A stack of no known thread stays one.
        row.thread = places.get(&row.thread).copied().unwrap_or(usize::MAX);
    }
    stacks.sort_by(|a, b| (a.thread, &a.frames).cmp(&(b.thread, &b.frames)));
    (order.into_iter().map(|(_, row)| row).collect(), stacks)
}

/// The row of one run; its name comes later.
fn row(profile: &Profile, labels: BTreeMap<String, String>) -> MemberRow {
    let summary = &profile.summary;
    let widths = profile.ledger.disjoint();
    let widths = widths.filter_map(|meter| meter.widths.get(&Account::Target));
    let cpu: Nanos = profile.threads.iter().map(|thread| &thread.cpu).sum();
    MemberRow {
        name: String::new(),
        host: summary.header.host.clone(),
        labels,
        argv: summary.header.command.argv.clone(),
        started_unix_ns: summary.header.wall_clock_ns,
        duration: summary.duration,
        exit_code: summary.exit_code,
        overlaps: false,
        total: profile.ledger.total(),
        energy: profile.ledger.account(Account::Target),
        ci90: widths.map(|width| width.total()).sum::<Microjoules>(),
        cpu,
        samples: summary.samples,
    }
}
