//! The profiles under test, and what must hold for all text.

use eprof::attribute::{Account, Energy};
use eprof::caveat::Caveat;
use eprof::output::By;
use eprof::profile::Profile;
use eprof::unit::Microjoules;
use unicode_width::UnicodeWidthStr;

use super::synthetic::{Synthetic, Thread};

pub(crate) const KINDS: [By; 6] = [
    By::Process,
    By::Command,
    By::Thread,
    By::Function,
    By::Module,
    By::Cpu,
];

pub(crate) fn estimated() -> Synthetic {
    Synthetic {
        estimated: true,
        ..Synthetic::typical()
    }
}

/// A run whose meters said nothing, with everything that can be said about it.
pub(crate) fn unmeasured() -> Profile {
    let mut run = Synthetic::typical();
    run.exit_code = None;
    run.losses.count("ring-full", 12_345);
    run.caveats.push(
        Caveat::new(
            "counter-stalled",
            "The counter of power/energy-pkg/ did not move for 5.0 s although CPUs were busy, \
             as it does in a virtual machine without RAPL.",
        )
        .hint("eprof run --source model -- ./bench --size 1000"),
    );
    let mut profile = run.build();
    for meter in &mut profile.ledger.meters {
        meter.total = Microjoules::ZERO;
        meter.unknown = profile.summary.duration;
        meter.baseline = None;
        meter
            .accounts
            .values_mut()
            .for_each(|energy| *energy = Default::default());
    }
    let nothing = Energy::default();
    profile
        .threads
        .iter_mut()
        .for_each(|row| row.energy = nothing);
    profile
        .processes
        .iter_mut()
        .for_each(|row| row.energy = nothing);
    profile
        .stacks
        .iter_mut()
        .for_each(|row| row.energy = nothing);
    for row in &mut profile.functions {
        (row.own, row.total) = (nothing, nothing);
    }
    profile
}

/// Names that attack terminals, XML, CSV and the folded format.
pub(crate) fn hostile() -> Synthetic {
    let names = [
        "\x1b[2J\x1b]0;owned\x07",
        "</text><script>alert(1)</script>",
        "a;b c;d 12",
        "# not a comment",
        "#",
        "日本語のとても長いプロセスの名前です",
        "\u{202e}reversed, \"quoted\"",
        "\u{9b}31m\u{fffe}\0",
        "  ",
        "--",
        "=cmd|' /C calc'!A0",
    ];
    let mut run = Synthetic::of(
        names
            .iter()
            .zip(1u32..)
            .map(|(name, n)| {
                let frame = format!("{name}@{name}");
                Thread::new(n, n, name, 1_000_000 * u64::from(n))
                    .stack(&[&frame, "inner@lib"], 1_000 * u64::from(n), 3)
                    .stack(&[&frame], 7, 1)
            })
            .collect(),
    );
    run.argv = names.iter().map(|name| (*name).to_owned()).collect();
    run.caveats.push(Caveat::new("names", names.join(" ")));
    run
}

pub(crate) fn target(profile: &Profile) -> u64 {
    profile.ledger.account(Account::Target).with_idle.0
}

/// No control character but the line feed, no directional override.
pub(crate) fn assert_harmless(text: &str) {
    let bad = text.chars().find(|c| {
        (c.is_control() && *c != '\n' && *c != '\r') || matches!(c, '\u{202a}'..='\u{202e}')
    });
    assert_eq!(bad, None, "in {text:?}");
}

pub(crate) fn assert_fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(line.width() <= width, "{} columns: {line}", line.width());
    }
}
