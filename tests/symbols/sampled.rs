//! The whole way with real samples: from the timer's interrupt to names.

use std::ops::ControlFlow;
use std::time::Duration;

use eprof::kernel::{KernelEvent, Probe, Settings, Sideband, Unwinding, in_order};
use eprof::measurement::Frame;
use eprof::symbol::ProcessMaps;
use eprof::symbol::stack::frames_in;

use super::target::{Cgroup, compile, cpus, possible, search, spawn};

/// Half a second of arithmetic, half a second of system calls, both some calls
/// below `main`. A function that calls nothing has no frame pointer, which
/// hides its caller: hence the caller's caller is what is looked for.
const WORK: &str = r#"
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#define NOINLINE __attribute__((noinline))
static volatile unsigned long sink;
static NOINLINE double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}
static NOINLINE void step(int i) { for (int k = 0; k < 2000; k++) sink += i; }
static NOINLINE void spin(void) { for (int i = 0; i < 1000; i++) step(i); sink++; }
static NOINLINE void ask(void) { for (int i = 0; i < 20000; i++) sink += syscall(SYS_getppid); sink++; }
static NOINLINE void compute(double until) { while (now() < until) spin(); sink++; }
static NOINLINE void bother(double until) { while (now() < until) ask(); sink++; }
int main(void) { compute(0.5); bother(1.0); return 0; }
"#;

#[test]
fn samples_become_the_stacks_that_the_program_has() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work");
    compile(&path, WORK, "cc", &[]);
    let cgroup = Cgroup::new();
    // The program keeps its frame pointers.
    let settings = Settings {
        unwinding: Unwinding::Pointers,
        ..Settings::default()
    };
    let mut probe = Probe::load(&settings).unwrap();
    probe.sample_cgroup(&cgroup.open()).unwrap();
    let mut sideband = Sideband::cgroup(&cgroup.open(), &cpus()).unwrap();
    probe.start().unwrap();
    let mut child = probe
        .adopting(|| spawn(&cgroup, "exec \"$@\"", &[path.to_str().unwrap()]))
        .unwrap();
    let mut maps = ProcessMaps::default();
    let mut stacks = Vec::new();
    loop {
        let ended = child.try_wait().unwrap().is_some();
        probe.close_interval().unwrap();
        let mut events = Vec::new();
        probe.drain(&mut |event| events.push(event));
        sideband.drain(&mut |mapping| events.push(KernelEvent::Mapped(mapping)));
        in_order(&mut events);
        for event in &events {
            maps.apply(event);
            if let KernelEvent::Sample(sample) = event {
                stacks.push(frames_in(sample, maps.context(sample).as_ref()));
            }
        }
        maps.end_batch();
        if ended {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(sideband.losses().0.is_empty());

    let mut frames: Vec<Frame> = stacks.iter().flatten().copied().collect();
    frames.sort();
    frames.dedup();
    let mut on = |_| ControlFlow::Continue(());
    let resolution = maps.resolve(&frames, &search(), &mut on);
    assert!(resolution.caveats.is_empty(), "{:?}", resolution.caveats);
    let name = |frame: &Frame| -> String {
        let place = frames.binary_search(frame).unwrap();
        let place = resolution
            .symbols
            .binary_search_by_key(&place, |symbol| symbol.frame.0 as usize);
        match place {
            Ok(place) => resolution.symbols[place].functions.last().unwrap().clone(),
            Err(_) => format!("{frame:?}"),
        }
    };
    let named: Vec<Vec<String>> = stacks
        .iter()
        .map(|stack| stack.iter().map(name).collect())
        .collect();
    let within = |functions: &[&str]| {
        named
            .iter()
            .filter(|stack| stack.windows(functions.len()).any(|part| part == functions))
            .count()
    };
    let (compute, bother) = (within(&["main", "compute"]), within(&["main", "bother"]));
    let show = || {
        let mut counts = std::collections::BTreeMap::new();
        for stack in &named {
            *counts.entry(stack.join(";")).or_insert(0) += 1;
        }
        format!("{counts:#?}")
    };
    // The program's own clock says that each took half the time. What comes
    // before main is a small part.
    let whole = named.len();
    assert!(whole > 300, "{whole} samples");
    for (part, which) in [(compute, "compute"), (bother, "bother")] {
        let share = part as f64 / whole as f64;
        assert!(
            (0.40..0.55).contains(&share),
            "{which}: {share}: {}",
            show()
        );
    }
    // Kernel frames lie above the function that called.
    let system_calls = named
        .iter()
        .filter(|stack| {
            let call = stack.iter().position(|name| name == "bother");
            let kernel = stack.iter().position(|name| name.starts_with("do_syscall"));
            call.is_some() && call < kernel
        })
        .count();
    assert!(system_calls > 10, "{}", show());
    // The interrupt that samples is not part of any stack.
    let own = [
        "bpf_prog",
        "bpf_trampoline",
        "perf_event",
        "perf_swevent",
        "hrtimer",
    ];
    for stack in &named {
        let leaf = stack.last().unwrap();
        assert!(!own.iter().any(|name| leaf.contains(name)), "{stack:?}");
    }
}
