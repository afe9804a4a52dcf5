//! The runs that a page is the sum of.

use std::fmt::Write as _;

use crate::profile::Profile;

use super::super::flamegraph::decorate::escaped;
use super::super::format::energy::EnergyText;
use super::super::format::number::time;
use super::super::format::sanitize::visible;

/// The section; nothing for one run.
pub(super) fn section(profile: &Profile) -> String {
    if profile.members.is_empty() {
        return String::new();
    }
    let energy_text = EnergyText::of(profile);
    let mut out = String::from(
        "<section id=\"runs\"><h2>Runs<small>all that follows is their sum</small></h2><div class=\"wide\">\
         <table class=\"sorts\"><thead><tr><th scope=\"col\"><button>run</button></th>\
         <th scope=\"col\"><button>host</button></th><th class=\"n\" scope=\"col\"><button>energy</button></th>\
         <th></th><th class=\"n\" scope=\"col\"><button>ran</button></th>\
         <th class=\"n\" scope=\"col\"><button>exit code</button></th></tr></thead><tbody>\n",
    );
    for row in &profile.members {
        let half = energy_text.half(row.energy.with_idle, row.ci90);
        let [value, error, unit] = energy_text.cells(energy_text.with_idle(row.energy), Some(half));
        let code = row
            .exit_code
            .map_or_else(String::new, |code| code.to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<tr><td class=\"name\"><code>{}</code></td><td>{}</td>\
             <td class=\"n\" data-v=\"{}\">{value} {unit}</td><td class=\"d\">{error}</td>\
             <td class=\"n\" data-v=\"{}\">{}</td><td class=\"n\" data-v=\"{}\">{code}</td></tr>",
            escaped(&visible(&row.name)),
            escaped(&visible(&row.host)),
            row.energy.with_idle.0,
            row.duration.0,
            time(row.duration.0),
            row.exit_code.unwrap_or(-1),
        );
    }
    out.push_str("</tbody></table></div></section>\n");
    out
}
