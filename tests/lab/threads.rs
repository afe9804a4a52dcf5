//! What was charged to threads against the truth.

use std::collections::BTreeMap;

use eprof::measurement::Counter;
use eprof::recording::{RecordingFile, Samples};

use super::{Column, Figure, Run};

/// What the first thread of the work is called.
const FIRST: &str = "lab_work";

/// A thread by both accounts, in microjoules.
#[derive(Clone, Debug, Default)]
struct Thread {
    comm: String,
    truth: f64,
    reported: f64,
    half_width: f64,
    /// What was counted, by the law of the hardware.
    priced: f64,
}

impl Thread {
    fn error(&self) -> f64 {
        (self.reported / self.truth - 1.0).abs() * 100.0
    }
}

impl Run<'_> {
    /// The target's threads by thread id (no id is used twice in one run).
    fn threads(&self) -> BTreeMap<u64, Thread> {
        let mut threads: BTreeMap<u64, Thread> = BTreeMap::new();
        for row in self.report.rows("threads") {
            let thread = threads.entry(row["tid"].as_u64().unwrap()).or_default();
            thread.reported += row["marginal_uj"].as_f64().unwrap_or(0.0);
            thread.half_width += row["ci90_uj"].as_f64().unwrap_or(0.0);
        }
        for (tid, uj) in self.priced() {
            threads.entry(tid).or_default().priced = uj;
        }
        for used in &self.truth.used {
            if used.comm != "eprof"
                && let Some(thread) = threads.get_mut(&u64::from(used.tid))
            {
                thread.truth += used.uj;
                thread.comm.clone_from(&used.comm);
            }
        }
        threads
    }

    /// What the accounts of each thread cost by the linear law of the hardware
    /// (`module/law.c`), in microjoules.
    fn priced(&self) -> BTreeMap<u64, f64> {
        let file = RecordingFile::open(&self.directory.join("eprof.data")).unwrap();
        let mut priced: BTreeMap<u64, f64> = BTreeMap::new();
        for record in file.intervals(Samples::Read).unwrap() {
            for thread in record.unwrap().threads {
                let signals = thread.signals;
                let count = |counter: Counter| signals[counter] as f64;
                let uj = 0.8e-3 * signals.on_cpu.0 as f64
                    + 0.9e-3 * count(Counter::Cycles)
                    + 0.5e-3 * count(Counter::Instructions)
                    + 62e-3 * count(Counter::CacheMisses);
                let task = &file.catalog.tasks[thread.task.0 as usize];
                // Before it executes the target, the first process is eprof.
                if task.parent.is_none() {
                    continue;
                }
                *priced.entry(u64::from(task.tid)).or_default() += uj;
            }
        }
        priced
    }

    /// Those above 1 % of the energy, but for the first thread, which does no
    /// more than to make the others. It is named in the midst of its exec, and
    /// eprof counts from the end of that: some milliseconds here, which are a
    /// tenth of so little work.
    fn large(&self) -> Vec<Thread> {
        let threads = self.threads();
        let sum: f64 = threads.values().map(|thread| thread.truth).sum();
        let large = |thread: &Thread| thread.truth > 0.01 * sum && thread.comm != FIRST;
        threads.into_values().filter(large).collect()
    }

    pub(super) fn covered(&self) -> (usize, usize) {
        let large = self.large();
        let covered = large
            .iter()
            .filter(|t| (t.reported - t.truth).abs() <= t.half_width);
        (covered.count(), large.len())
    }

    pub(super) fn threads_figures(&self, known: bool) -> Vec<Figure> {
        let large = self.large();
        let mean = large.iter().map(Thread::error).sum::<f64>() / large.len() as f64;
        let worst = large.iter().max_by(|a, b| a.error().total_cmp(&b.error()));
        let worst = worst.expect("a thread");
        let priced = large
            .iter()
            .map(|t| (t.priced / t.truth - 1.0).abs() * 100.0);
        let counted = known.then(|| Figure {
            column: Column::Counted,
            value: priced.sum::<f64>() / large.len() as f64,
            bound: None,
            note: String::new(),
        });
        let mut figures = vec![
            Figure {
                column: Column::ThreadsMean,
                value: mean,
                bound: known.then_some(3.0),
                note: format!("{} threads", large.len()),
            },
            Figure {
                column: Column::ThreadsWorst,
                value: worst.error(),
                bound: known.then_some(6.0),
                note: format!(
                    "{}: {:.0} mJ for {:.0}",
                    worst.comm,
                    worst.reported / 1e3,
                    worst.truth / 1e3
                ),
            },
        ];
        figures.extend(counted);
        figures
    }

    pub(super) fn twins(&self, known: bool) -> Figure {
        let large = self.large();
        let twins: Vec<&Thread> = large
            .iter()
            .filter(|t| t.comm.starts_with("mid-"))
            .collect();
        let [a, b] = twins[..] else {
            panic!("not two twins: {large:?}");
        };
        let apart = |a: f64, b: f64| (a - b).abs() / ((a + b) / 2.0) * 100.0;
        let (reported, truth) = (apart(a.reported, b.reported), apart(a.truth, b.truth));
        Figure {
            column: Column::Twins,
            value: (reported - truth).max(0.0),
            bound: known.then_some(0.5),
            note: format!("{reported:.2} for {truth:.2}"),
        }
    }

    pub(super) fn short(&self, bound: Option<f64>) -> Vec<Figure> {
        let reported = self.threads();
        let named = |used: &&crate::truth::Used| {
            ["hot", "mid", "low", "mem"]
                .iter()
                .any(|kind| used.comm.starts_with(kind))
        };
        let mut missing = 0;
        let (mut truth, mut sum, mut count) = (0.0, 0.0, 0);
        let mut last: BTreeMap<u64, &str> = BTreeMap::new();
        for used in self.truth.used.iter().filter(named) {
            last.insert(u64::from(used.tid), &used.comm);
        }
        let rows: BTreeMap<u64, Vec<&str>> =
            self.report
                .rows("threads")
                .iter()
                .fold(BTreeMap::new(), |mut rows, row| {
                    let comm = row["comm"].as_str().unwrap();
                    rows.entry(row["tid"].as_u64().unwrap())
                        .or_insert_with(Vec::new)
                        .push(comm);
                    rows
                });
        for (tid, comm) in &last {
            count += 1;
            match reported.get(tid).filter(|_| rows[tid].contains(comm)) {
                None => missing += 1,
                Some(thread) => {
                    truth += thread.truth;
                    sum += thread.reported;
                }
            }
        }
        vec![
            Figure {
                column: Column::Missing,
                value: f64::from(missing),
                bound: Some(0.0),
                note: format!("of {count}"),
            },
            Figure {
                column: Column::Sum,
                value: (sum / truth - 1.0).abs() * 100.0,
                bound,
                note: format!("{:.1} mJ for {:.1}", sum / 1e3, truth / 1e3),
            },
        ]
    }
}
