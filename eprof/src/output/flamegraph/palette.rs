//! Colours of the flamegraph, by what a box is.
//!
//! The hues are those of Okabe and Ito's palette (<https://jfly.uni-koeln.de/color/>),
//! which people with any colour vision tell apart, made light enough for black
//! text (contrast at least 7:1, WCAG 2.1). Each kind has a lightness of its
//! own too, from interrupts (dark) to the idle task (light), so that they
//! differ in print without colours: CIE L* 63, 67, 72, … 97. Boxes of one kind
//! differ slightly, by their names; the same name always looks the same.

use inferno::flamegraph::color::Color;

use crate::profile::FrameKind;

/// What a box of the flamegraph stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::output) enum Kind {
    /// The root, a process, or a thread.
    Task,
    /// A frame.
    Frame(FrameKind),
}

impl Kind {
    /// All of them, as the legend shows them.
    pub(in crate::output) const ALL: [Self; 9] = [
        Self::Frame(FrameKind::User),
        Self::Frame(FrameKind::Inlined),
        Self::Frame(FrameKind::Generated),
        Self::Frame(FrameKind::Syscall),
        Self::Frame(FrameKind::Kernel),
        Self::Frame(FrameKind::Interrupt),
        Self::Frame(FrameKind::Idle),
        Self::Frame(FrameKind::Marker),
        Self::Task,
    ];

    /// What the legend calls it.
    pub(in crate::output) fn label(self) -> &'static str {
        match self {
            Self::Task => "process, thread",
            Self::Frame(FrameKind::User) => "user code",
            Self::Frame(FrameKind::Inlined) => "inlined",
            Self::Frame(FrameKind::Generated) => "generated at run time",
            Self::Frame(FrameKind::Syscall) => "system call",
            Self::Frame(FrameKind::Kernel) => "kernel",
            Self::Frame(FrameKind::Interrupt) => "interrupt",
            Self::Frame(FrameKind::Idle) => "idle",
            Self::Frame(FrameKind::Marker) => "unknown",
        }
    }

    /// The colour of the kind.
    pub(in crate::output) const fn colour(self) -> Color {
        let (r, g, b) = match self {
            Self::Task => (234, 236, 228),
            Self::Frame(FrameKind::User) => (252, 172, 68),
            Self::Frame(FrameKind::Inlined) => (250, 222, 135),
            Self::Frame(FrameKind::Generated) => (81, 196, 154),
            Self::Frame(FrameKind::Syscall) => (164, 220, 253),
            Self::Frame(FrameKind::Kernel) => (88, 173, 221),
            Self::Frame(FrameKind::Interrupt) => (213, 124, 173),
            Self::Frame(FrameKind::Idle) => (242, 247, 252),
            Self::Frame(FrameKind::Marker) => (201, 201, 201),
        };
        Color { r, g, b }
    }
}

/// The colour of the box `name` of a kind.
pub(in crate::output) fn colour(name: &str, kind: Kind) -> Color {
    // From -1 to 4: an interrupt has no darkness to spare.
    let shade = |channel: u8| {
        let bright = channel.saturating_add((hash(name) % 6) as u8);
        bright.saturating_sub(1)
    };
    let Color { r, g, b } = kind.colour();
    Color {
        r: shade(r),
        g: shade(g),
        b: shade(b),
    }
}

/// FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>): not a good hash,
/// but one that stays the same.
fn hash(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The last bytes reach the high bits only after another mixing.
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32
}

#[cfg(test)]
#[path = "palette_tests.rs"]
mod tests;
