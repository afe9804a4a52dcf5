//! The numbers that matter most, and facts about the run.

use maud::{Markup, html};

use super::super::format::accounts::{coarsest_half, target_half};
use super::super::format::energy::EnergyText;
use super::super::format::facts;
use super::super::format::number::time;
use super::super::format::sanitize::visible;
use crate::attribute::Account;
use crate::profile::Profile;

/// A number in large type.
struct Number {
    name: &'static str,
    value: String,
    error: String,
}

/// The few numbers that matter most.
pub(super) fn numbers(profile: &Profile, energy_text: EnergyText) -> Markup {
    html! {
        dl.figures {
            @for Number { name, value, error } in listed(profile, energy_text) {
                div { dt { (name) } dd { (value) " " small { (error) } } }
            }
        }
    }
}

fn listed(profile: &Profile, energy_text: EnergyText) -> Vec<Number> {
    let target = profile.ledger.account(Account::Target);
    let half = target_half(profile);
    let duration = profile.summary.duration.0;
    let with_idle = energy_text.with_idle(target);
    let [value, error, unit] = energy_text.cells(with_idle, half);
    let mut numbers = vec![Number {
        name: "in the target",
        value: format!("{value} {unit}"),
        error: format!("{error} {unit}"),
    }];
    let mut add = |name: &'static str, value: String| {
        let error = String::new();
        numbers.push(Number { name, value, error });
    };
    if let Some(uj) = energy_text.above_idle(target) {
        add("above idle", energy_text.short(Some(uj), half));
    }
    let watts = energy_text.watts(with_idle, half, Some(duration));
    add("mean power", watts);
    add("ran", time(duration));
    if energy_text.known {
        let total = Some(profile.ledger.total().0);
        let total = energy_text.short(total, coarsest_half(profile));
        add("whole machine", total);
    }
    let how = match energy_text.known {
        true => energy_text.provenance(),
        false => "unknown",
    };
    add("joules are", how.to_owned());
    numbers
}

/// Facts and caveats.
pub(super) fn section(profile: &Profile, energy_text: EnergyText) -> Markup {
    let header = &profile.summary.header;
    let machine = [&header.host, &header.kernel, &header.cpu_model].map(|text| visible(text));
    let machine = ("on", machine.join(", "));
    let of_run = facts::of_run(profile, energy_text).into_iter();
    let of_recording = facts::of_recording(profile, energy_text);
    html! {
        h2 { "Summary" }
        dl.facts {
            @for (label, text) in of_run.chain([machine]).chain(of_recording) {
                dt { (label) } dd { (text) }
            }
        }
        @if energy_text.estimated {
            p.estimate { (facts::ESTIMATE) }
        }
        @if !profile.caveats.is_empty() {
            ul.caveats {
                @for caveat in &profile.caveats {
                    li {
                        (visible(&caveat.sentence))
                        @if let Some(hint) = &caveat.hint {
                            small { "hint: " (visible(hint)) }
                        }
                    }
                }
            }
        }
    }
}
