//! The profile: names, processes, functions.

use eprof::measurement::{
    Domain, Frame, FrameId, Object, ObjectId, StackEnd, StackId, StackNode, Symbol, TaskId,
};
use eprof::profile::{FunctionKey, Profile};
use eprof::recording::Rename;
use eprof::unit::{Microjoules, Timestamp};

use super::machine::{COUNTER, MS, ROOT, Run, sample};

fn key(function: &str, module: &str) -> FunctionKey {
    FunctionKey {
        function: function.to_owned(),
        module: module.to_owned(),
    }
}

/// One thread, 1 J, with these stacks (root first) sampled once each.
fn profile(frames: &[Frame], symbols: &[(u32, &[&str])], stacks: &[&[u32]]) -> Profile {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER);
    let mut catalog = run.catalog(0);
    catalog.objects.push(Object {
        path: "/usr/lib/libm.so.6 (deleted)".to_owned(),
        build_id: None,
    });
    catalog.frames = frames.to_vec();
    for &(frame, functions) in symbols {
        catalog.symbols.push(Symbol {
            frame: FrameId(frame),
            functions: functions.iter().map(|&name| name.to_owned()).collect(),
        });
    }
    let mut leaves = Vec::new();
    for stack in stacks {
        let mut parent = None;
        for &frame in *stack {
            let frame = FrameId(frame);
            catalog.stacks.push(StackNode { parent, frame });
            let last = u32::try_from(catalog.stacks.len()).unwrap() - 1;
            parent = Some(StackId(last));
        }
        leaves.push(parent.unwrap());
    }
    run.start(&[Some(0)]);
    let record = run.interval(10 * MS, &[(ROOT, 0, MS)], &[Some(1_000_000)]);
    record.samples = leaves
        .iter()
        .map(|leaf| sample(ROOT, 0, leaf.0, 1))
        .collect();
    Profile::build(&catalog, &run.attribute())
}

fn user(offset: u64) -> Frame {
    Frame::User {
        object: ObjectId(0),
        offset,
        returns: false,
    }
}

#[test]
fn the_leaf_owns_and_callers_contain() {
    let frames = [user(1), user(2), user(3)];
    let symbols: &[(u32, &[&str])] = &[(0, &["main"]), (1, &["work"]), (2, &["work"])];
    // main→work twice (at different addresses), main→work→work, main.
    let profile = profile(&frames, symbols, &[&[0, 1], &[0, 2], &[0, 1, 2], &[0]]);
    let row = |name| {
        let of = profile.functions.iter();
        let row = of.clone().find(|row| row.key.function == name).unwrap();
        (row.own.with_idle.0, row.total.with_idle.0, row.samples)
    };
    assert_eq!(row("work"), (750_000, 750_000, 3));
    assert_eq!(row("main"), (250_000, 1_000_000, 1));
    assert_eq!(profile.functions[0].key, key("work", "libm.so.6"));
    // Stacks that differ in addresses only are one row.
    assert_eq!(profile.stacks.len(), 3);
    assert_eq!(profile.modules.len(), 1);
    assert_eq!(profile.modules[0].own.with_idle, Microjoules(1_000_000));
}

#[test]
fn inlined_functions_are_frames_of_their_own() {
    let symbols: &[(u32, &[&str])] = &[(0, &["outer", "inner"])];
    let profile = profile(&[user(1)], symbols, &[&[0]]);
    let frames = &profile.stacks[0].frames;
    assert_eq!(frames.len(), 2);
    assert_eq!(
        (&*frames[0].key.function, frames[0].inlined),
        ("outer", false)
    );
    assert_eq!(
        (&*frames[1].key.function, frames[1].inlined),
        ("inner", true)
    );
    assert_eq!(profile.functions[0].key, key("inner", "libm.so.6"));
}

#[test]
fn what_has_no_name_says_so() {
    let kernel = Frame::Kernel {
        address: 1,
        returns: false,
    };
    let frames = [
        Frame::Broken(StackEnd::Truncated),
        user(9),
        kernel,
        Frame::Unmapped(5),
    ];
    let profile = profile(&frames, &[], &[&[0, 1, 2], &[0, 3], &[1]]);
    let keys: Vec<_> = profile
        .functions
        .iter()
        .map(|row| row.key.clone())
        .collect();
    for expected in [
        key("[unknown] in [kernel]", "[kernel]"),
        key("[unknown] in libm.so.6", "libm.so.6"),
        key("[unknown]", ""),
        key("[truncated]", ""),
    ] {
        assert!(keys.contains(&expected), "{expected:?}");
    }
    assert_eq!(*profile.stacks[0].frames[0].key, key("[truncated]", ""));
}

#[test]
fn what_an_interrupt_did_stands_above_what_it_interrupted() {
    let kernel = |address| Frame::Kernel {
        address,
        returns: false,
    };
    let generated = |address| Frame::Generated {
        process: TaskId(ROOT),
        address,
        returns: false,
    };
    let frames = [generated(7), generated(8), kernel(1), kernel(2), kernel(3)];
    let symbols: &[(u32, &[&str])] = &[
        (0, &["py::f:/a.py"]),
        (2, &["asm_sysvec_apic_timer_interrupt"]),
        (3, &["handle_softirqs"]),
        (4, &["vfs_read"]),
    ];
    let profile = profile(&frames, symbols, &[&[0, 2, 3], &[1, 4]]);
    let names = |n: usize| {
        let frames = profile.stacks[n].frames.iter();
        let names = frames.map(|frame| (frame.key.function.as_str(), frame.key.module.as_str()));
        names.collect::<Vec<_>>()
    };
    let mut stacks = [names(0), names(1)];
    stacks.sort();
    assert_eq!(
        stacks[0],
        [("[unknown] in [jit]", "[jit]"), ("vfs_read", "[kernel]")]
    );
    assert_eq!(
        stacks[1],
        [
            ("py::f:/a.py", "[jit]"),
            ("[irq]", "[kernel]"),
            ("asm_sysvec_apic_timer_interrupt", "[kernel]"),
            ("handle_softirqs", "[kernel]")
        ]
    );
    // It has the energy of all interrupts, and none of its own.
    let row = profile
        .functions
        .iter()
        .find(|row| row.key.function == "[irq]");
    let row = row.unwrap();
    assert_eq!(row.own.with_idle, Microjoules(0));
    assert_eq!(row.total.with_idle, Microjoules(500_000));
}

#[test]
fn a_thread_without_samples_shows_as_unsampled() {
    let profile = profile(&[], &[], &[]);
    assert_eq!(profile.functions.len(), 1);
    assert_eq!(profile.functions[0].key, key("[unsampled]", ""));
    assert_eq!(profile.functions[0].own.with_idle, Microjoules(1_000_000));
    assert_eq!(profile.modules[0].module, "[unsampled]");
}

#[test]
fn execs_and_reused_pids_are_processes_of_their_own() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER);
    // 100 exec'ed again; its child 101 ended, and the PID was used again.
    let second_life = run.task(100, 100, 2, Some(ROOT));
    let child = run.task(101, 101, 0, Some(second_life));
    let reused = run.task(101, 101, 0, Some(second_life));
    run.tasks[reused as usize].start = Timestamp(99);
    let thread = run.task(555, 101, 0, Some(reused));
    run.start(&[Some(0)]);
    let work: Vec<_> = [ROOT, second_life, child, reused, thread]
        .map(|task| (task, 0, MS))
        .into();
    run.interval(10 * MS, &work, &[Some(5000)]);
    let mut catalog = run.catalog(0);
    catalog.renames.push(Rename {
        task: TaskId(thread),
        at: Timestamp(5),
        comm: "worker".to_owned(),
    });
    let profile = Profile::build(&catalog, &run.attribute());
    let rows: Vec<_> = profile
        .processes
        .iter()
        .map(|row| {
            (
                row.key.pid,
                row.key.start.0,
                row.key.generation,
                row.energy.with_idle.0,
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (101, 99, 0, 2000),
            (100, 0, 1, 1000),
            (100, 0, 2, 1000),
            (101, 0, 0, 1000)
        ]
    );
    let parents: Vec<_> = profile
        .processes
        .iter()
        .map(|row| row.parent.map(|parent| (parent.pid, parent.generation)))
        .collect();
    // The root's parent is eprof, which is not in the target.
    assert_eq!(
        parents,
        [Some((100, 2)), None, Some((100, 1)), Some((100, 2))]
    );
    let worker = profile.threads.iter().find(|row| row.tid == 555).unwrap();
    assert_eq!((&*worker.comm, worker.process.start.0), ("worker", 99));
    assert_eq!(profile.processes[0].threads, 2);
}

#[test]
fn a_recording_that_was_cut_off_has_no_exit_code() {
    let mut run = Run::new(&[&[0]]);
    run.meter(Domain::Package, COUNTER);
    run.start(&[Some(0)]);
    run.interval(10 * MS, &[(ROOT, 0, MS)], &[Some(5000)]);
    let summary = run.profile(0).summary;
    assert_eq!(summary.exit_code, None);
    assert_eq!(summary.duration.0, 10 * MS);
}
