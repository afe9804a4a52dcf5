//! The ledger: meter by meter, where the energy went that it counted.

use maud::{Markup, html};

use super::super::format::accounts::label;
use super::super::format::energy::{EnergyText, has_reading};
use super::super::format::number::{percent, time};
use super::super::format::sanitize::visible;
use crate::attribute::{Account, Energy, MeterLedger};
use crate::profile::Profile;

/// The section; nothing where there is no meter.
pub(super) fn section(profile: &Profile) -> Option<Markup> {
    let meters = &profile.ledger.meters;
    if meters.is_empty() {
        return None;
    }
    let energy_text = EnergyText::of(profile);
    Some(html! {
        h2 { "Ledger" small { "every microjoule that the meters counted, once" } }
        div.wide {
            table {
                thead {
                    tr {
                        th {}
                        th.n { "energy" }
                        th { (energy_text.error_title()) }
                        th.n { "above idle" }
                        th.n { "share" }
                    }
                }
                tbody {
                    @for meter in meters {
                        tr.meter {
                            td colspan="5" {
                                (meter.domain.name()) " " small { (about(profile, meter)) }
                            }
                        }
                        "\n"
                        @if has_reading(meter) {
                            @for account in Account::ALL {
                                (row(meter, account, energy_text)) "\n"
                            }
                            (sum(meter, energy_text)) "\n"
                        } @else {
                            tr { td colspan="5" { "unknown: the meter gave no usable reading" } }
                            "\n"
                        }
                    }
                }
            }
        }
    })
}

/// Which meter it is.
fn about(profile: &Profile, meter: &MeterLedger) -> String {
    let header = &profile.summary.header;
    let source = header.meters.iter().find(|of| of.id == meter.meter);
    let source = source.map_or("", |of| of.kind.name());
    let how = meter.provenance.name();
    let mut about = format!("{how} by {source} {}", visible(&meter.name));
    if meter.nested {
        about.push_str("; a part of another meter, never added");
    }
    if meter.unknown.0 > 0 {
        about.push_str(&format!("; unknown for {}", time(meter.unknown.0)));
    }
    about
}

fn row(meter: &MeterLedger, account: Account, energy_text: EnergyText) -> Markup {
    let energy = meter.accounts.get(&account).copied().unwrap_or_default();
    let half = meter.widths.get(&account).map(|width| width.total().0);
    // Nothing is charged to idle where idle power is unknown: that is not an
    // idle energy of zero.
    let known = account != Account::Idle || meter.baseline.is_some() || energy != Energy::default();
    let class = match account {
        Account::Target => "target",
        _ => "",
    };
    let [value, error, unit] = energy_text.cells(known.then_some(energy.with_idle.0), half);
    let above = (known && meter.baseline.is_some()).then_some(energy.above_idle.0);
    let share = percent(energy.with_idle.0, meter.total.0).filter(|_| known);
    html! {
        tr class=(class) {
            td { (label(account)) }
            td.n data-account=(account.name()) data-nested=(meter.nested.to_string())
                data-v=(energy.with_idle.0) { (value) " " (unit) }
            td.d { @if !error.is_empty() { (error) "\u{a0}" (unit) } }
            td.n { (energy_text.short(above, half)) }
            td.n { (share.as_deref().unwrap_or("–")) }
        }
    }
}

fn sum(meter: &MeterLedger, energy_text: EnergyText) -> Markup {
    let coarsest = meter.widths.values().map(|width| width.total().0).max();
    let [value, _, unit] = energy_text.cells(Some(meter.total.0), coarsest);
    html! {
        tr.sum {
            td { "= the meter" }
            td.n { (value) " " (unit) }
            td {}
            td {}
            td.n { "100.0 %" }
        }
    }
}
