//! What code is called, and how far the search for names has come.

use std::sync::Arc;

use super::args::SymbolArgs;
use crate::clock;
use crate::output::Progress;
use crate::pipeline::Names;
use crate::profile::Detail;
use crate::symbol::{self, Search};
use crate::unit::{Nanos, Timestamp};

/// How long the search takes before it is worth a line.
const SHOW_AFTER: Nanos = Nanos(1_000_000_000);

impl SymbolArgs {
    /// How closely code is distinguished.
    pub(super) fn detail(&self) -> Detail {
        Detail {
            lines: self.lines,
            inlined: !self.no_inline,
        }
    }

    /// Where names are looked for.
    pub(super) fn search(&self) -> Search {
        Search::of_environment(&self.symbol_path)
    }

    /// The names of a recording, those that it lacks to be looked for.
    pub(super) fn names(&self) -> Names {
        Names {
            detail: self.detail(),
            search: Some(Arc::new(self.search())),
        }
    }
}

/// What shows on standard error how far the search has come.
pub(super) fn shown() -> impl FnMut(symbol::Progress) {
    let mut progress = Progress::stderr(false);
    let mut search = NameSearch::default();
    move |so_far| search.show(&mut progress, so_far)
}

/// Shows how far a search has come that takes longer than a second.
#[derive(Debug, Default)]
pub(super) struct NameSearch {
    began: Option<Timestamp>,
}

impl NameSearch {
    pub(super) fn show<W: std::io::Write>(
        &mut self,
        progress: &mut Progress<W>,
        so_far: symbol::Progress,
    ) {
        let now = clock::now();
        let began = *self.began.get_or_insert(now);
        if now.since(began) >= SHOW_AFTER {
            progress.say(now, || text(so_far));
        }
    }
}

fn text(so_far: symbol::Progress) -> String {
    let symbol::Progress {
        looked_up,
        frames,
        fetched,
    } = so_far;
    let percent = 100 * looked_up / frames.max(1);
    let mut text = format!("finding names: {percent} % of {frames} addresses");
    if fetched > 0 {
        let mib = fetched as f64 / f64::from(1 << 20);
        text.push_str(&format!("  fetched {mib:.1} MiB of debug information"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Style;

    #[test]
    fn a_quick_search_shows_nothing_and_a_long_one_how_far_it_is() {
        let so_far = symbol::Progress {
            looked_up: 512,
            frames: 2048,
            fetched: 3 << 20,
        };
        let mut shown = Vec::new();
        let mut progress = Progress::new(Some(&mut shown), Style::PLAIN);
        NameSearch::default().show(&mut progress, so_far);
        let mut search = NameSearch {
            began: Some(Timestamp(0)),
        };
        drop(progress);
        assert!(shown.is_empty());
        let mut progress = Progress::new(Some(&mut shown), Style::PLAIN);
        search.show(&mut progress, so_far);
        drop(progress);
        let shown = String::from_utf8_lossy(&shown);
        assert!(shown.contains("25 % of 2048 addresses"), "{shown}");
        assert!(shown.contains("3.0 MiB"), "{shown}");
    }
}
