//! The live line while the target runs.
//!
//! On standard error, only on a terminal, at most ten times a second, and
//! gone without a trace before anything else is written.

use std::io::{self, IsTerminal, Write};

use crate::timeline::LiveStatus;
use crate::unit::{Microjoules, Nanos, Timestamp};

use super::style::Style;
use crate::output::format::number::{count, counted, estimate, with_error};
use crate::output::format::sanitize::shorten;

/// Time between two updates of the line.
const UPDATE_INTERVAL: Nanos = Nanos(100_000_000);
/// Runs shorter than this show no line at all: it would only flicker.
const SHORTEST_RUN: Nanos = Nanos(400_000_000);

/// The line, without colours.
fn text(status: &LiveStatus) -> String {
    let seconds = status.elapsed.0 / 1_000_000_000;
    let elapsed = if seconds < 60 {
        format!("{:.1} s", status.elapsed.seconds())
    } else {
        format!(
            "{}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        )
    };
    let shown = |value: Option<f64>, unit: &str| match value {
        None => format!("– {unit}"),
        Some(value) if status.estimated => estimate(value, None, unit).0.text(),
        Some(value) => with_error(value, None, unit).text(),
    };
    format!(
        "{elapsed}  {}  {}  {}  {}",
        shown(status.power.map(|power| power.0), "W"),
        shown(status.energy.map(Microjoules::joules), "J"),
        counted(status.threads, "thread", "threads"),
        if status.samples == 1 {
            "1 sample".to_owned()
        } else {
            format!("{} samples", count(status.samples))
        },
    )
}

/// The live line.
#[derive(Debug)]
pub struct Progress<W: Write> {
    /// `None`: nothing is ever written.
    out: Option<W>,
    style: Style,
    /// When the line was last written.
    last: Option<Timestamp>,
    shown: bool,
}

impl Progress<io::Stderr> {
    /// On standard error, silent when that is no terminal (or a dumb one) or
    /// `quiet` is wanted.
    pub fn stderr(quiet: bool) -> Self {
        let stderr = io::stderr();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let style = Style::of_stderr(&stderr);
        let live = stderr.is_terminal() && !dumb && !quiet;
        Self::new(live.then_some(stderr), style)
    }
}

impl<W: Write> Progress<W> {
    /// On `out`, which is a terminal that looks like `style`; `None` for
    /// silence.
    pub fn new(out: Option<W>, style: Style) -> Self {
        Self {
            out,
            style,
            last: None,
            shown: false,
        }
    }

    /// Shows `status`, unless it is too early for that. A terminal that cannot
    /// be written to is left alone from then on.
    pub fn show(&mut self, now: Timestamp, status: &LiveStatus) {
        if status.elapsed >= SHORTEST_RUN {
            self.say(now, || text(status));
        }
    }

    /// Shows any one line, likewise.
    pub fn say(&mut self, now: Timestamp, text: impl FnOnce() -> String) {
        if self
            .last
            .is_some_and(|last| now.since(last) < UPDATE_INTERVAL)
        {
            return;
        }
        let Some(out) = &mut self.out else { return };
        // One column stays free: some terminals wrap when it is used.
        let text = text();
        let text = shorten(&text, self.style.width.saturating_sub(1));
        // Back to the first column, write, erase what is left of the old line.
        let line = format!("\r{}\x1b[K", self.style.dim(&text));
        if out
            .write_all(line.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            self.out = None;
            return;
        }
        self.last = Some(now);
        self.shown = true;
    }

    /// Removes the line. It comes back with the next [`Progress::show`].
    pub fn clear(&mut self) {
        if !std::mem::take(&mut self.shown) {
            return;
        }
        if let Some(out) = &mut self.out {
            // Nothing can be done about a terminal that has gone.
            let _ = out.write_all(b"\r\x1b[K").and_then(|()| out.flush());
        }
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        self.clear();
    }
}
