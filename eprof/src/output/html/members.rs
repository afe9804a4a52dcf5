//! The runs that a page is the sum of.

use maud::{Markup, html};

use super::super::format::energy::EnergyText;
use super::super::format::number::time;
use super::super::format::sanitize::visible;
use crate::profile::{MemberRow, Profile};

/// The section; nothing for one run.
pub(super) fn section(profile: &Profile) -> Option<Markup> {
    if profile.members.is_empty() {
        return None;
    }
    let energy_text = EnergyText::of(profile);
    Some(html! {
        h2 { "Runs" small { "everything below is their sum" } }
        div.wide {
            table.sorts {
                thead {
                    tr {
                        th scope="col" { button { "run" } }
                        th scope="col" { button { "host" } }
                        th.n scope="col" { button { "energy" } }
                        th {}
                        th.n scope="col" { button { "ran" } }
                        th.n scope="col" { button { "exit code" } }
                    }
                }
                tbody {
                    @for run in &profile.members { (row(run, energy_text)) "\n" }
                }
            }
        }
    })
}

fn row(run: &MemberRow, energy_text: EnergyText) -> Markup {
    let half = energy_text.half(run.energy.with_idle, run.ci90);
    let with_idle = energy_text.with_idle(run.energy);
    let [value, error, unit] = energy_text.cells(with_idle, Some(half));
    html! {
        tr {
            td.name { code { (visible(&run.name)) } }
            td { (visible(&run.host)) }
            td.n data-v=(run.energy.with_idle.0) { (value) " " (unit) }
            td.d { (error) }
            td.n data-v=(run.duration.0) { (time(run.duration.0)) }
            td.n data-v=(run.exit_code.unwrap_or(-1)) {
                @if let Some(code) = run.exit_code { (code) }
            }
        }
    }
}
