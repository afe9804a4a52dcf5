//! What was counted reaches the rows: of each thread as it was counted, of each
//! stack as its samples counted, of their sums without loss.

use std::collections::BTreeMap;

use eprof::attribute::UNNAMED;
use eprof::measurement::{Counter, Domain, Event};
use eprof::profile::{Profile, Sum};
use eprof::recording::End;
use eprof::unit::Nanos;

use super::machine::{COUNTER, MS, ROOT, Run, sample};

/// Two threads on two CPUs in two intervals. The first executes 900 instructions
/// in `fn 1` and 100 in `fn 2`, but is sampled more often in `fn 2`; the second
/// executes 500, and no sample counts any. All say how often they were woken.
fn run() -> (Run, u32) {
    let mut run = Run::new(&[&[0, 1]]);
    run.meter(Domain::Package, COUNTER);
    run.header.events = Event::with(&[Counter::Cycles, Counter::Instructions]);
    let other = run.task(101, 100, 0, Some(ROOT));
    run.start(&[Some(0)]);
    for raw in [1_000, 2_000] {
        let work = [(ROOT, 0, 4 * MS), (other, 1, 2 * MS)];
        let record = run.interval(10 * MS, &work, &[Some(raw)]);
        for (thread, (instructions, wakeups)) in [(500, 3), (250, 1)].into_iter().enumerate() {
            let signals = [
                &mut record.threads[thread].signals,
                &mut record.cpus[thread].target,
            ];
            for signals in signals {
                signals[Counter::Instructions] = instructions;
                signals[Event::Wakeups] = wakeups;
            }
        }
        let mut often = sample(ROOT, 0, 2, 3);
        often.counts[Counter::Instructions as usize] = 40;
        let mut busy = sample(ROOT, 0, 1, 1);
        busy.counts[Counter::Instructions as usize] = 360;
        record.samples = vec![busy, often, sample(other, 0, 1, 1), sample(other, 0, 3, 1)];
    }
    (run, other)
}

/// The profile of a run that ended, and whose counters `distrusted` stood still.
fn profile(run: &Run, distrusted: &[Counter]) -> Profile {
    let mut catalog = run.catalog(4);
    catalog.end = Some(End {
        distrusted: distrusted.to_vec(),
        ..End::default()
    });
    Profile::build(&catalog, &run.attribute())
}

fn instructions(profile: &Profile, function: &str) -> u64 {
    let mut rows = profile.functions.iter();
    let row = rows.find(|row| row.key.function == function).unwrap();
    row.counts[Counter::Instructions as usize]
}

#[test]
fn threads_and_processes_have_what_was_counted_of_them() {
    let (run, _) = run();
    let profile = profile(&run, &[]);
    let counted = |tid: u32| {
        let mut rows = profile.threads.iter();
        let events = rows.find(|row| row.tid == tid).unwrap().events;
        (events[Counter::Instructions], events[Event::Wakeups])
    };
    assert_eq!((counted(100), counted(101)), ((1_000, 6), (500, 2)));
    let [process] = &profile.processes[..] else {
        panic!("{:?}", profile.processes)
    };
    assert_eq!(process.events[Counter::Instructions], 1_500);
    assert_eq!(process.events[Event::Wakeups], 8);
    assert_eq!(profile.summary.signals[Counter::Instructions], 1_500);
    assert_eq!(profile.commands()[0].events[Event::Wakeups], 8);
}

#[test]
fn functions_have_what_their_samples_counted() {
    let (run, _) = run();
    let profile = profile(&run, &[]);
    // The second thread's samples counted nothing: its 500 go by time.
    assert_eq!(instructions(&profile, "fn 1"), 900 + 250);
    assert_eq!(instructions(&profile, "fn 2"), 100);
    assert_eq!(instructions(&profile, "fn 3"), 250);
    for counter in Counter::ALL {
        let stacks = profile
            .stacks
            .iter()
            .map(|row| row.counts[counter as usize]);
        assert_eq!(stacks.sum::<u64>(), profile.summary.signals[counter]);
    }
    // CPU time goes by the number of samples.
    let time = |function: &str| {
        let mut rows = profile.functions.iter();
        rows.find(|row| row.key.function == function).unwrap().cpu
    };
    assert_eq!(time("fn 1"), Nanos(2 * MS + 2 * MS));
    assert_eq!(time("fn 2"), Nanos(6 * MS));
    let stacks: Nanos = profile.stacks.iter().map(|row| row.cpu).sum();
    let threads: Nanos = profile.threads.iter().map(|row| row.cpu).sum();
    assert_eq!((stacks, threads), (Nanos(12 * MS), Nanos(12 * MS)));
}

#[test]
fn what_no_known_thread_did_is_counted_as_such() {
    let (mut run, other) = run();
    for record in &mut run.records {
        record.threads.retain(|account| account.task.0 != other);
        record.samples.retain(|sample| sample.task.0 != other);
    }
    let attributed = run.attribute();
    let mut threads = attributed.threads.iter();
    let nameless = threads.find(|charge| charge.task == UNNAMED).unwrap();
    assert_eq!(nameless.signals.on_cpu, Nanos(4 * MS));
    assert_eq!(nameless.signals[Counter::Instructions], 500);
    assert_eq!(attributed.signals[Counter::Instructions], 1_500);
}

#[test]
fn what_was_not_counted_or_cannot_be_trusted_is_not_known() {
    let (run, _) = run();
    let sound = profile(&run, &[]);
    let stalled = profile(&run, &[Counter::Instructions]);
    let cut = Profile::build(&run.catalog(4), &run.attribute());
    let known = |profile: &Profile, event: Event| {
        let row = &profile.threads[0];
        profile.summary.counted(&row.events, event)
    };
    let instructions = Event::Counter(Counter::Instructions);
    assert_eq!(known(&sound, instructions), Some(1_000));
    assert_eq!(known(&stalled, instructions), None);
    // Without an end, nobody knows whether a counter stood still.
    assert_eq!(known(&cut, instructions), None);
    for profile in [&sound, &stalled, &cut] {
        assert_eq!(known(profile, Counter::CacheMisses.into()), None);
        assert_eq!(known(profile, Event::Wakeups), Some(6));
    }
}

#[test]
fn a_sum_knows_what_all_of_its_runs_know() {
    let (run, _) = run();
    let sum = |profiles: [Profile; 2]| {
        let mut sum = Sum::new();
        for profile in profiles {
            sum.add(profile, BTreeMap::new());
        }
        sum.finish(Vec::new()).unwrap()
    };
    let both = sum([profile(&run, &[]), profile(&run, &[])]);
    assert!(both.summary.counts(Counter::Instructions));
    assert_eq!(both.summary.signals[Counter::Instructions], 3_000);
    assert_eq!(instructions(&both, "fn 2"), 200);
    let half = sum([profile(&run, &[]), profile(&run, &[Counter::Instructions])]);
    assert!(!half.summary.counts(Counter::Instructions));
    assert!(half.summary.counts(Counter::Cycles));
}
