//! Stacks: of the target only, of the right functions, and without waking
//! anyone.

use std::time::Duration;

use eprof::kernel::{Sample, Settings, Unwinding};
use eprof::measurement::StackEnd;

use super::accounts::conserved;
use super::bench::{Cgroup, Measured, both, measure, turn};

const EVERY: Duration = Duration::from_millis(50);

/// Where user code was: the first frame, or where the copy begins.
fn leaf(sample: &Sample) -> Option<u64> {
    let copied = sample.copy.as_ref().map(|copy| copy.registers.pc);
    sample.user.first().copied().or(copied)
}

/// Samples find the function that the workload says it spends its time in,
/// as often as the frequency and the CPU time have it.
fn found(measured: &Measured, frequency_hz: u32, unwinding: Unwinding) {
    conserved(measured);
    let function = measured.hot..measured.hot + 256;
    let hot = measured
        .samples
        .iter()
        .filter(|sample| leaf(sample).is_some_and(|leaf| function.contains(&leaf)))
        .count();
    let all = measured.samples.len();
    assert!(hot * 10 >= all * 8, "{hot} of {all} samples are in hot()");
    let expected = measured.target().seconds() * f64::from(frequency_hz);
    let rate = all as f64 / expected;
    assert!(
        (0.9..=1.1).contains(&rate),
        "{all} samples, {expected} expected"
    );
    for sample in &measured.samples {
        let task = &measured.tasks[sample.task.unwrap().0 as usize];
        assert_eq!(task.pid, measured.pid);
        assert!(task.began <= sample.at);
        assert_ne!(sample.user_end, StackEnd::Failed);
        // Nobody gave the kernel any tables.
        let copied = unwinding != Unwinding::Pointers && sample.user_end != StackEnd::Absent;
        assert_eq!(sample.copy.is_some(), copied, "{sample:?}");
        assert_eq!(
            sample.kernel.is_empty(),
            sample.kernel_end == StackEnd::Absent
        );
        // Kernel addresses are in the upper half.
        assert!(sample.kernel.iter().all(|address| address >> 63 == 1));
        assert!(
            sample
                .user
                .iter()
                .all(|address| address >> 63 == 0 || sample.user.len() > 1)
        );
    }
    // Frame pointers lead from the leaf to its callers; a copy of the stack
    // begins at the stack pointer and has more than one frame.
    let deep = measured
        .samples
        .iter()
        .filter(|sample| {
            sample.user.len() >= 4
                || sample.copy.as_ref().is_some_and(|copy| {
                    let end = copy.base + copy.bytes.len() as u64;
                    (copy.base..end - 64).contains(&copy.registers.sp)
                })
        })
        .count();
    assert!(deep * 10 >= all * 8, "{deep} of {all} stacks have callers");
    let runs = measured.runs("sample");
    assert!(runs >= all as u64, "{runs} runs for {all} samples");
}

#[test]
fn stacks_lead_to_the_function_that_ran() {
    let Some(_turn) = turn() else { return };
    let Some(cgroup) = Cgroup::new() else { return };
    for unwinding in [Unwinding::Tables, Unwinding::Copies, Unwinding::Pointers] {
        let wanted = Settings {
            unwinding,
            ..Settings::default()
        };
        for settings in both(&wanted) {
            let unwinding = if settings.no_btf {
                Unwinding::Pointers
            } else {
                unwinding
            };
            for cgroup in [Some(&cgroup), None] {
                let measured = measure(&settings, &["spin", "300"], EVERY, cgroup);
                found(&measured, 997, unwinding);
            }
        }
    }
}

/// A timer per CPU would run 997 times a second on each; the target's do not
/// run while it sleeps.
#[test]
fn idle_cpus_are_not_woken() {
    let Some(_turn) = turn() else { return };
    let Some(cgroup) = Cgroup::new() else { return };
    for cgroup in [Some(&cgroup), None] {
        let measured = measure(&Settings::default(), &["sleep", "1000"], EVERY, cgroup);
        let runs = measured.runs("sample");
        let expected = measured.target().seconds() * 997.0;
        assert!(
            runs as f64 <= expected + 10.0,
            "{runs} runs, {expected} expected"
        );
        // Nor are idle CPUs asked to close slices that they do not have.
        let boundaries = measured.intervals.len() as u64 + 1;
        let cpus = measured.intervals[0].cpus.len() as u64;
        assert!(measured.runs("flush") <= boundaries * cpus);
    }
}

#[test]
fn no_frequency_means_no_samples() {
    let Some(_turn) = turn() else { return };
    let settings = Settings {
        frequency_hz: 0,
        ..Settings::default()
    };
    let measured = measure(&settings, &["spin", "50"], EVERY, None);
    conserved(&measured);
    assert_eq!((measured.samples.len(), measured.runs("sample")), (0, 0));
}

/// A CPU that comes online during the run: here one of which eprof was not told.
#[test]
fn a_cpu_that_comes_later_is_sampled_and_said() {
    let Some(_turn) = turn() else { return };
    let Some(cgroup) = Cgroup::new() else { return };
    let settings = Settings {
        online: Some(vec![0]),
        ..Settings::default()
    };
    if std::thread::available_parallelism().unwrap().get() < 2 {
        crate::support::absent("there is one CPU");
        return;
    }
    let measured = measure(&settings, &["both", "0", "1", "600"], EVERY, Some(&cgroup));
    let on = |cpu: u32| {
        let samples = measured.samples.iter();
        samples.filter(|sample| sample.slice.cpu == cpu).count()
    };
    // Each is busy for as long; what is missing is an interval or two.
    let (told, other) = (on(0), on(1));
    assert!(other * 10 > told * 6, "{other} samples there, {told} here");
    // The threads' accounts are whole.
    let time = measured.time(|_| true).seconds();
    assert!((1.1..1.5).contains(&time), "{time} s");
    let caveats = measured.caveats.iter();
    let mut caveats = caveats.filter(|caveat| caveat.code == "cpu-came-online");
    let sentence = &caveats.next().expect("it is said").sentence;
    assert!(sentence.starts_with("CPU 1 came online"), "{sentence}");
    // How much is in no CPU's account: what the second thread used.
    let seconds = sentence.split(" s of it").next().unwrap();
    let seconds: f64 = seconds.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((0.5..0.8).contains(&seconds), "{sentence}");
}

/// A CPU that goes offline while files are opened on each of them.
#[test]
fn a_cpu_that_is_gone_takes_no_other_with_it() {
    let Some(_turn) = turn() else { return };
    // No kernel has so many.
    let gone = 1 << 20;
    let watched = eprof::kernel::Sideband::process(std::process::id(), &[0, gone]).unwrap();
    assert_eq!(watched.descriptors().count(), 1);
}
