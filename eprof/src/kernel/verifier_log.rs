//! What the kernel's verifier says of a program that it refuses.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

/// How many lines of a log an error shows.
const LINES: usize = 5;

/// How many characters of a line an error shows: those with the state of all
/// registers may have some thousand.
const LINE: usize = 160;

/// How the lines begin that say what it cost to verify a program, not why it was
/// refused (kernel/bpf/verifier.c, `print_verification_stats`).
const COSTS: [&str; 4] = [
    "processed ",
    "verification time ",
    "stack depth ",
    "insns processed ",
];

/// The file that takes the whole log of each program that the verifier refuses.
#[derive(Clone, Debug)]
pub struct VerifierLog(Arc<File>);

impl VerifierLog {
    /// That file, open for writing. Whoever opens it does so as the user whom it
    /// belongs to, which the kernel side knows nothing of.
    pub fn new(file: File) -> Self {
        Self(Arc::new(file))
    }

    /// Writes the log of a program down.
    ///
    /// # Errors
    /// What the file system says.
    pub(in crate::kernel) fn write(&self, program: &str, log: &str) -> io::Result<()> {
        let mut file = &*self.0;
        writeln!(file, "program {program}:\n{}", log.trim_end())
    }
}

impl PartialEq for VerifierLog {
    /// Whether it is the same open file.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for VerifierLog {}

/// The last lines of a log that say why a program was refused, the most telling
/// one last; short, and without control characters.
pub(in crate::kernel) fn last_lines(log: &str) -> Vec<String> {
    let mut lines: Vec<String> = log
        .lines()
        .rev()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !COSTS.iter().any(|cost| line.starts_with(cost)))
        .take(LINES)
        .map(shown)
        .collect();
    lines.reverse();
    lines
}

fn shown(line: &str) -> String {
    let mut shown: String = line
        .chars()
        .take(LINE)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.chars().nth(LINE).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Linux 6.18, but for the escape.
    const LOG: &str = "0: R1=ctx() R10=fp0\n\
        0: (b7) r1 = 0                        ; R1_w=0\n\
        1: (bf) r2 = r1                       ; R1_w=0 R2_w=0\n\
        2: (bf) r3 = r2                       ; R2_w=0 R3_w=0\n\
        3: (79) r0 = *(u64 *)(r3 +0)\x1b[2J\n\
        R3 invalid mem access 'scalar'\n\
        processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 \
        mark_read 0\n";

    #[test]
    fn the_reason_comes_last_and_the_costs_do_not_count() {
        let lines = last_lines(LOG);
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[4], "R3 invalid mem access 'scalar'");
        assert!(lines[0].starts_with("0: (b7)"), "{lines:?}");
    }

    #[test]
    fn lines_are_harmless_and_short() {
        assert!(last_lines(LOG).iter().all(|line| !line.contains('\x1b')));
        let lines = last_lines(&"ü".repeat(5000));
        assert_eq!(lines, ["ü".repeat(LINE) + "…"]);
        assert!(last_lines(" \n\n").is_empty());
    }
}
