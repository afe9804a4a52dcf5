//! The head of every report: what ran, for how long, and what it used.

use crate::profile::Profile;

use super::style::Style;
use crate::output::format::energy::EnergyText;
use crate::output::format::facts::{ESTIMATE, of_run};
use crate::output::format::sanitize::{shorten, wrapped};
use crate::output::format::title;

/// What stands in the first lines.
pub(in crate::output) fn lines(
    profile: &Profile,
    energy_text: EnergyText,
    style: Style,
) -> Vec<String> {
    let name = "eprof: ";
    let command = title::command(profile);
    let command = shorten(&command, style.width.saturating_sub(name.len()));
    let mut lines = vec![format!("{}{}", style.dim(name), style.bold(&command))];
    for (label, text) in of_run(profile, energy_text) {
        let text = wrapped(&text, style.width.saturating_sub(12));
        for (at, line) in text.into_iter().enumerate() {
            let label = format!("  {:<10}", if at == 0 { label } else { "" });
            lines.push(format!("{}{line}", style.dim(&label)).trim_end().to_owned());
        }
    }
    if energy_text.estimated {
        for line in wrapped(ESTIMATE, style.width.saturating_sub(2)) {
            lines.push(style.warn(&format!("  {line}")));
        }
    }
    lines
}
