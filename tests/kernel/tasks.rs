//! Who is who: short lives, many lives, execs, ids that come again.

use std::collections::BTreeSet;
use std::time::Duration;

use eprof::kernel::Settings;

use super::accounts::conserved;
use super::bench::{Cgroup, agrees, both, measure, turn, workload};

const EVERY: Duration = Duration::from_millis(50);

#[test]
fn twenty_thousand_short_processes_are_all_named_and_charged() {
    let Some(_turn) = turn() else { return };
    let Some(cgroup) = Cgroup::new() else { return };
    for settings in both(&Settings::default()) {
        let before = cgroup.usage();
        let measured = measure(&settings, &["fork", "20000"], EVERY, Some(&cgroup));
        conserved(&measured);
        assert_eq!(measured.losses.0.len(), 0, "{:?}", measured.losses);
        let children: Vec<_> = measured
            .tasks
            .iter()
            .filter(|task| task.pid != measured.pid)
            .collect();
        assert_eq!(children.len(), 20_000);
        assert!(
            children
                .iter()
                .all(|task| task.comm == "workload" && task.tid == task.pid)
        );
        let charged: BTreeSet<_> = measured
            .intervals
            .iter()
            .flat_map(|interval| &interval.threads)
            .filter(|thread| thread.signals.on_cpu.0 > 0)
            .map(|thread| thread.task)
            .collect();
        assert!(children.iter().all(|task| charged.contains(&task.id)));
        let gone: BTreeSet<_> = measured.gone.iter().map(|(task, _)| *task).collect();
        assert_eq!(gone.len(), measured.tasks.len(), "all have ended");
        let usage = cgroup.usage().saturating_sub(before);
        agrees(&measured, "cgroup", usage);
    }
}

#[test]
fn five_thousand_threads_at_once_lose_nothing() {
    let Some(_turn) = turn() else { return };
    let Some(cgroup) = Cgroup::new() else { return };
    for settings in both(&Settings::default()) {
        let before = cgroup.usage();
        let measured = measure(&settings, &["threads", "5000"], EVERY, Some(&cgroup));
        conserved(&measured);
        assert_eq!(measured.losses.0.len(), 0, "{:?}", measured.losses);
        let threads: BTreeSet<_> = measured
            .tasks
            .iter()
            .filter(|task| task.pid == measured.pid && task.tid != measured.pid)
            .map(|task| task.tid)
            .collect();
        assert_eq!(threads.len(), 5_000);
        // Not rusage: a thread that ends adds its time to its process's before
        // it stops running.
        let usage = cgroup.usage().saturating_sub(before);
        agrees(&measured, "cgroup", usage);
    }
}

#[test]
fn each_exec_begins_a_new_instance_of_the_same_thread() {
    let Some(_turn) = turn() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut arguments = vec!["exec".to_owned()];
    for name in ["one", "two", "three"] {
        let link = dir.path().join(name);
        std::os::unix::fs::symlink(workload(), &link).unwrap();
        arguments.push(link.to_str().unwrap().to_owned());
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    for settings in both(&Settings::default()) {
        let measured = measure(&settings, &arguments, EVERY, None);
        conserved(&measured);
        // The first is our own child between fork and exec.
        let lives: Vec<_> = measured
            .tasks
            .iter()
            .filter(|task| task.pid == measured.pid)
            .collect();
        let names: Vec<_> = lives[1..].iter().map(|task| task.comm.as_str()).collect();
        assert_eq!(names, ["workload", "one", "two", "three"]);
        for (generation, life) in lives.iter().enumerate() {
            assert_eq!(life.generation as usize, generation);
            assert_eq!((life.tid, life.start), (measured.pid, lives[0].start));
        }
        for pair in lives.windows(2) {
            assert_eq!(pair[1].parent, Some(pair[0].id));
            let ended = measured
                .gone
                .iter()
                .find(|(task, _)| *task == pair[0].id)
                .unwrap()
                .1;
            assert!(pair[0].began <= ended && ended <= pair[1].began);
        }
        // Each computes for 20 ms, besides starting.
        for life in &lives[1..] {
            let time = measured.time(|task| task == life.id);
            assert!(time.0 >= 19_000_000, "{}: {time:?}", life.comm);
        }
        assert!(measured.renamed.is_empty(), "{:?}", measured.renamed);
    }
}

#[test]
fn a_process_id_that_comes_again_is_another_process() {
    let Some(_turn) = turn() else { return };
    // An id far from those in use.
    let max: u32 = std::fs::read_to_string("/proc/sys/kernel/pid_max")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let id = (max - 7).to_string();
    for settings in both(&Settings::default()) {
        let measured = measure(&settings, &["reuse", &id, "50"], EVERY, None);
        conserved(&measured);
        assert_eq!(measured.losses.0.len(), 0, "{:?}", measured.losses);
        let same: Vec<_> = measured
            .tasks
            .iter()
            .filter(|task| task.tid == max - 7)
            .collect();
        assert_eq!(same.len(), 50);
        for pair in same.windows(2) {
            assert!(pair[0].start < pair[1].start);
        }
        for task in &same {
            assert!(measured.time(|other| other == task.id).0 > 0);
            assert_eq!(
                measured
                    .gone
                    .iter()
                    .filter(|(gone, _)| *gone == task.id)
                    .count(),
                1
            );
        }
    }
}

#[test]
fn a_new_name_is_reported() {
    let Some(_turn) = turn() else { return };
    for settings in both(&Settings::default()) {
        let measured = measure(&settings, &["rename", "hot part"], EVERY, None);
        let [(task, name)] = &measured.renamed[..] else {
            panic!("{:?}", measured.renamed);
        };
        assert_eq!(name, "hot part");
        assert_eq!(measured.tasks[task.0 as usize].comm, "workload");
    }
}
