//! Folded stacks and the flamegraph.

use eprof::output::flamegraph::flame;

use super::cases::{hostile, target, unmeasured};
use super::parse::{folded_lines, legend, svg, svg_boxes};
use super::synthetic::{Synthetic, Thread};

#[test]
fn folded_names_cannot_break_the_format() {
    let profile = hostile().build();
    let lines = folded_lines(&profile);
    assert_eq!(
        lines.iter().map(|(_, uj)| uj).sum::<u64>(),
        target(&profile)
    );
    for (stack, _) in &lines {
        assert!((3..=4).contains(&stack.len()), "{stack:?}");
        assert!(
            stack[0].ends_with(')') && !stack[0].starts_with("# "),
            "{stack:?}"
        );
        let last_word = stack.last().unwrap().rsplit(' ').next().unwrap();
        assert!(
            last_word.parse::<f64>().is_err(),
            "a second count in {stack:?}"
        );
    }
    let typical = folded_lines(&Synthetic::typical().build());
    for marker in [
        "[unsampled]",
        "[truncated]",
        "ksys_write_[k]",
        "utf8::decode_[i]",
    ] {
        assert!(
            typical
                .iter()
                .any(|(stack, _)| stack.iter().any(|f| f == marker)),
            "{marker}"
        );
    }
}

#[test]
fn a_flamegraph_shows_each_caller_once_and_hostile_names_as_text() {
    // Sorted as lines of text, `f 1` stands between `f` and `f;g`.
    let run = Synthetic::of(vec![
        Thread::new(1, 1, "p", 5)
            .stack(&["f@m"], 1000, 1)
            .stack(&["f@m", "g@m"], 1000, 1)
            .stack(&["f x@m", "g@m"], 1000, 1),
    ]);
    let (_, boxes) = svg_boxes(&svg(&run.build()));
    let f: Vec<_> = boxes
        .iter()
        .filter(|drawn| drawn.title.starts_with("f ("))
        .collect();
    assert_eq!(f.len(), 1);
    assert_eq!(f[0].uj, 2000);
    let picture = svg(&hostile().build());
    assert!(!picture.contains("<script>alert"));
    let (total, boxes) = svg_boxes(&picture);
    assert_eq!(total, target(&hostile().build()));
    assert!(
        boxes
            .iter()
            .any(|drawn| drawn.title.contains("<script>alert(1)"))
    );
}

/// What inferno's script shows when one zooms: the title up to its last
/// parentheses.
fn label(title: &str) -> &str {
    let (label, rest) = title.rsplit_once('(').unwrap();
    assert!(
        rest.ends_with(')') && !rest[..rest.len() - 1].contains(')'),
        "{title}"
    );
    label.trim_end()
}

#[test]
fn a_box_has_the_colour_of_what_it_is_and_the_legend_has_it_too() {
    let stack = [
        "main@bench",
        "utf8::decode@bench",
        "py::f:/a (b).py@[jit]",
        "do_syscall_64@[kernel]",
        "[irq]@[kernel]",
        "asm_sysvec_apic_timer_interrupt@[kernel]",
        "handle_softirqs@[kernel]",
    ];
    let run = Synthetic::of(vec![
        Thread::new(1, 1, "p (q)", 5)
            .stack(&stack, 1_000_000, 5)
            .stack(&["main@bench", "asm_exc_page_fault@[kernel]"], 1000, 1)
            .stack(&["do_idle@[kernel]"], 1000, 1)
            .stack(&["[truncated]@", "f@bench"], 1000, 1),
    ]);
    let picture = svg(&run.build());
    let (_, boxes) = svg_boxes(&picture);
    // Shades of a kind differ by five steps at most.
    let kind = |label_wanted: &str| {
        let drawn = boxes
            .iter()
            .find(|drawn| label(&drawn.title) == label_wanted);
        let drawn = drawn.unwrap_or_else(|| panic!("{label_wanted}"));
        let near = |legend: &&[u8; 3]| {
            legend
                .iter()
                .zip(drawn.fill)
                .all(|(a, b)| a.abs_diff(b) <= 5)
        };
        let legend = legend(&picture);
        let fitting: Vec<_> = legend.iter().filter(|(_, fill)| near(&fill)).collect();
        assert_eq!(fitting.len(), 1, "{label_wanted}: {:?}", drawn.fill);
        fitting[0].0.clone()
    };
    for (name, expected) in [
        ("all", "process, thread"),
        ("p (q) (1)", "process, thread"),
        ("p (q)/1", "process, thread"),
        ("main", "user code"),
        ("utf8::decode", "inlined"),
        ("py::f:/a (b).py", "generated at run time"),
        ("do_syscall_64", "system call"),
        ("[irq]", "interrupt"),
        ("asm_sysvec_apic_timer_interrupt", "interrupt"),
        ("handle_softirqs", "interrupt"),
        ("asm_exc_page_fault", "kernel"),
        ("do_idle", "idle"),
        ("[truncated]", "unknown"),
    ] {
        assert_eq!(kind(name), expected, "{name}");
    }
    assert_eq!(legend(&picture).len(), 9);
    // Nothing that is not there is explained.
    let simple = Synthetic::of(vec![Thread::new(1, 1, "p", 5).stack(&["f@m"], 1000, 1)]);
    let labels: Vec<_> = legend(&svg(&simple.build()))
        .into_iter()
        .map(|(label, _)| label)
        .collect();
    assert_eq!(labels, ["user code", "process, thread"]);
}

#[test]
fn a_tooltip_tells_energy_error_power_samples_and_share() {
    let run = Synthetic::of(vec![
        Thread::new(1, 1, "p", 5)
            .stack(&["main@bench", "f@lib (x).so"], 3_000_000, 300)
            .stack(&["main@bench"], 1_000_000, 100),
    ]);
    let profile = run.build();
    let (_, boxes) = svg_boxes(&svg(&profile));
    let title = |name: &str| {
        let drawn = boxes.iter().find(|drawn| label(&drawn.title) == name);
        drawn.unwrap().title.clone()
    };
    // 4 J in 5.02 s, and three quarters of it. The half widths are those of
    // rows: 1.23 % of the thread, and the error of 400 samples at 75 %, by
    // Wilson's formula 3.72 % of 4 J; together √(0.0369² + 0.1489²) J = 0.153 J,
    // and errors are rounded up.
    assert_eq!(
        title("p/1"),
        "p/1 (4.00 ±0.05 J, 797 mW, 400 samples, 100.0 %)"
    );
    assert_eq!(
        title("f"),
        "f (3.00 ±0.16 J, 600 mW, 300 samples, 75.0 %; in lib _x_.so)"
    );
    // Of estimates, the range.
    let estimated = Synthetic {
        estimated: true,
        ..run
    };
    let (_, boxes) = svg_boxes(&svg(&estimated.build()));
    let shown = boxes
        .iter()
        .find(|drawn| label(&drawn.title) == "f")
        .unwrap();
    assert_eq!(
        shown.title,
        "f (~3.0 J estimated, 90 %: 2.0–4.5 J, ~600 mW, 300 samples, 75.0 %; in lib _x_.so)"
    );
}

#[test]
fn no_energy_is_a_picture_that_says_so() {
    let nothing = Synthetic::of(Vec::new()).build();
    let still = Synthetic::of(vec![Thread::new(1, 1, "p", 5).stack(&["f@m"], 0, 1)]).build();
    for (profile, why) in [
        (nothing, "No thread of the target ran"),
        (still, "the meters did not move"),
        (unmeasured(), "The energy is unknown"),
    ] {
        let picture = svg(&profile);
        assert_eq!(svg_boxes(&picture).0, 0);
        assert!(picture.contains(why), "{picture}");
    }
    let impossible = Synthetic::of(vec![Thread::new(1, 1, "p", 5).stack(&["f@m"], 1 << 60, 1)]);
    let error = flame::write(&impossible.build(), Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}
