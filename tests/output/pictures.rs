//! Folded stacks and the flamegraph.

use eprof::output::flame;

use crate::cases::{hostile, target, unmeasured};
use crate::parse::{folded_lines, svg, svg_boxes};
use crate::synthetic::{Synthetic, Thread};

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
