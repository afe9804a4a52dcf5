//! The programs of the suite.

use super::bounds;
use super::program::{
    CHAIN, MUSL, Program, c, go, go_switches, honest, made_by, narrow, plugins, rust, short,
    stripped, stubs, with,
};
use super::system;

/// All programs, in the order of the table.
pub fn all() -> Vec<Program> {
    const NO_FP: &str = "-fomit-frame-pointer";
    const THREAD: &[&str] = &["thread", "alpha", "beta", "delta"];
    const LEAF: &[&str] = &["main", "alpha", "beta", "leaf"];
    const MIDDLE: &[&str] = &["main", "alpha", "middle", "delta"];
    // Interrupted as deep as it had gone, or working.
    let signal: [&[&str]; 5] = [
        CHAIN,
        &[
            "main", "alpha", "beta", "delta", "on_alarm", "handle", "digest",
        ],
        &["main", "alpha", "beta", "on_alarm", "handle", "digest"],
        &["main", "alpha", "on_alarm", "handle", "digest"],
        &["main", "on_alarm", "handle", "digest"],
    ];
    let deep: Vec<&str> = ["main", "alpha"]
        .into_iter()
        .chain(std::iter::repeat_n("recurse", 500))
        .chain(["delta"])
        .collect();
    let exceptions: [&[&str]; 5] = [
        CHAIN,
        // libgcc hands over to a handler: it has overwritten its own return
        // address by the handler's (uw_install_context), not yet left its frame.
        &["main", "alpha", "alpha"],
        &["main", "alpha", "beta", "delta", "beta"],
        &["main", "alpha", "beta", "cleanup"],
        &["main", "alpha", "handle"],
    ];
    let mut programs = vec![
        c("C -O0", &["chain.c"], &["-O0", NO_FP], &[CHAIN]),
        c("C -O2", &["chain.c"], &["-O2", NO_FP], &[CHAIN]),
        c("C -O3", &["chain.c"], &["-O3", NO_FP], &[CHAIN]),
        c(
            "C -Os, fixed address",
            &["chain.c"],
            &["-Os", "-no-pie", NO_FP],
            &[CHAIN],
        ),
        c(
            "C -O2 with frame pointers",
            &["chain.c"],
            &["-O2", "-fno-omit-frame-pointer"],
            &[CHAIN],
        ),
        c(
            "C -O2, .debug_frame only",
            &["chain.c"],
            &["-O2", "-g", "-fno-asynchronous-unwind-tables", NO_FP],
            &[CHAIN],
        ),
        honest(c(
            "C -O2, nothing said",
            &["chain.c"],
            &["-O2", "-fno-asynchronous-unwind-tables", NO_FP],
            &[CHAIN],
        )),
        stripped(
            "C -O2, stripped",
            c("", &["chain.c"], &["-O2", NO_FP], &[CHAIN]),
        ),
        c(
            "C -O2, static",
            &["chain.c"],
            &["-O2", "-static", NO_FP],
            &[CHAIN],
        ),
        c(
            "C -O2, static-pie",
            &["chain.c"],
            &["-O2", "-static-pie", NO_FP],
            &[CHAIN],
        ),
        made_by(
            "musl-gcc",
            "no musl-gcc",
            "C -O2, musl",
            &["chain.c"],
            &["-O2", NO_FP],
            &[CHAIN],
        ),
        made_by(
            "musl-gcc",
            "no musl-gcc",
            "C -O2, musl, static",
            &["chain.c"],
            &["-O2", "-static", NO_FP],
            &[CHAIN],
        ),
        c("500 calls deep", &["deep.c"], &["-O2", NO_FP], &[&deep]),
        c(
            "alloca, VLA, aligned",
            &["variable.c"],
            &["-O2", NO_FP],
            &[CHAIN],
        ),
        c(
            "a frame of 600 KiB",
            &["large.c"],
            &["-O2", NO_FP],
            &[CHAIN],
        ),
        c(
            "callback through libc",
            &["callback.c"],
            &["-O2", NO_FP],
            &[&["main", "alpha", "compare", "delta"]],
        ),
        c("signal handler", &["signal.c"], &["-O2", NO_FP], &signal),
        with(
            c(
                "signal handler, own stack",
                &["signal.c"],
                &["-O2", NO_FP],
                &signal,
            ),
            &["own"],
        ),
        c(
            "swapcontext",
            &["context.c"],
            &["-O2", NO_FP],
            &[&["start", "left", "delta"], &["start", "right", "delta"]],
        ),
        plugins(),
        c(
            "threads",
            &["threads.c"],
            &["-O2", "-pthread", NO_FP],
            &[THREAD],
        ),
        c(
            "vDSO",
            &["clock.c"],
            &["-O2", NO_FP],
            &[&["main", "alpha", "beta"]],
        ),
        stubs(),
        c(
            "assembly with CFI",
            &["assembly.c", "middle.S"],
            &["-O2", "-DCFI", NO_FP],
            &[MIDDLE],
        ),
        c(
            "assembly with frame pointer",
            &["assembly.c", "middle.S"],
            &["-O2", "-DFRAME", NO_FP],
            &[MIDDLE],
        ),
        honest(c(
            "assembly, nothing said",
            &["assembly.c", "middle.S"],
            &["-O2", NO_FP],
            &[MIDDLE],
        )),
        honest(c(
            "leaf in assembly",
            &["leaf.c", "leaf.S"],
            &["-O2", NO_FP],
            &[LEAF],
        )),
        honest(c(
            "the same, frame pointers",
            &["leaf.c", "leaf.S"],
            &["-O2", "-fno-omit-frame-pointer"],
            &[LEAF],
        )),
        honest(stripped(
            "the same, stripped",
            c("", &["leaf.c", "leaf.S"], &["-O2", NO_FP], &[LEAF]),
        )),
        honest(c(
            "leaf that pushes registers",
            &["leaf.c", "leaf.S"],
            &["-O2", "-DSPILL", NO_FP],
            &[LEAF],
        )),
        c(
            "fork",
            &["fork.c"],
            &["-O2", NO_FP],
            &[
                &["main", "parent", "beta", "delta"],
                &["main", "child", "beta", "delta"],
                &["main", "grandchild", "beta", "delta"],
            ],
        ),
        short(),
        made_by(
            "g++",
            "no C++ compiler",
            "C++ exceptions",
            &["exceptions.cc"],
            &["-O2", NO_FP],
            &exceptions,
        ),
        made_by(
            "g++",
            "no C++ compiler",
            "C++ templates",
            &["templates.cc"],
            &["-O2", NO_FP],
            // `beta`, and in its name the lambda and what calls it.
            &[&["main", "run", "beta", "beta", "beta", "delta"]],
        ),
        rust("Rust -O", &["-O"]),
        rust("Rust -O -g", &["-O", "-g"]),
        rust("Rust -O, panic=abort", &["-O", "-C", "panic=abort"]),
        stripped("Rust -O, stripped", rust("", &["-O"])),
        rust("Rust -O, musl", &["-O", "--target", MUSL]),
        go(),
        go_switches(),
        // Nor `.debug_frame`.
        stripped("Go, stripped", go()),
    ];
    if cfg!(target_arch = "x86_64") {
        let flags = &["-O2", "-fcf-protection", NO_FP];
        programs.push(c(
            "text moved to huge pages",
            &["remapped.c"],
            &["-O2", NO_FP],
            &[CHAIN],
        ));
        programs.push(narrow());
        programs.push(c("C -O2 -fcf-protection", &["chain.c"], flags, &[CHAIN]));
        let chain: &[&str] = &["main", "alpha", "beta", "gamma_", "delta"];
        let plain: &[&str] = &["-O2", NO_FP, "-fcf-protection=none"];
        for (name, flags) in [
            ("trampolines of CPython", plain),
            ("the same, with -fcf-protection", flags),
        ] {
            let mut made = c(name, &["trampoline.c"], flags, &[chain]);
            made.demand.jit = true;
            programs.push(made);
        }
        let mut made = honest(c(bounds::GLUED, &["glued.c"], plain, &[CHAIN]));
        made.demand.jit = true;
        programs.push(made);
    }
    // Elsewhere they need only say that they are broken.
    let told_by_code = [
        "C -O2, nothing said",
        "assembly, nothing said",
        "leaf in assembly",
        "the same, frame pointers",
        "the same, stripped",
        "leaf that pushes registers",
    ];
    for program in &mut programs {
        program.only_honest &=
            cfg!(not(target_arch = "x86_64")) || !told_by_code.contains(&program.name);
    }
    programs.extend(system::all());
    programs
}
