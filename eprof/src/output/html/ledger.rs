//! The ledger: meter by meter, where what it said went.

use std::fmt::Write as _;

use crate::attribute::{Account, Energy, MeterLedger};
use crate::profile::Profile;

use super::super::flamegraph::decorate::escaped;
use super::super::format::accounts::label;
use super::super::format::energy::{EnergyText, spoke};
use super::super::format::number::{percent, time};
use super::super::format::sanitize::visible;

/// The section; nothing where there is no meter.
pub(super) fn section(profile: &Profile) -> String {
    let meters = &profile.ledger.meters;
    if meters.is_empty() {
        return String::new();
    }
    let energy_text = EnergyText::of(profile);
    let error = if energy_text.estimated {
        "90 % range"
    } else {
        "±90 %"
    };
    let mut out = format!(
        "<section id=\"ledger\"><h2>Ledger<small>every microjoule that the meters told of, once</small></h2>\
         <div class=\"wide\"><table><thead><tr><th></th><th class=\"n\">energy</th><th>{error}</th>\
         <th class=\"n\">above idle</th><th class=\"n\">share</th></tr></thead><tbody>\n"
    );
    for meter in meters {
        rows(&mut out, profile, meter, energy_text);
    }
    out.push_str("</tbody></table></div></section>\n");
    out
}

fn rows(out: &mut String, profile: &Profile, meter: &MeterLedger, energy_text: EnergyText) {
    let header = &profile.summary.header;
    let source = header.meters.iter().find(|of| of.id == meter.meter);
    let source = source.map_or("", |of| of.kind.name());
    let mut about = format!(
        "{} by {source} {}",
        meter.provenance.name(),
        visible(&meter.name)
    );
    if meter.nested {
        about.push_str("; a part of another meter, never added");
    }
    if meter.unknown.0 > 0 {
        let _ = write!(about, "; unknown for {}", time(meter.unknown.0));
    }
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<tr class=\"meter\"><td colspan=\"5\">{} <small>{}</small></td></tr>",
        meter.domain.name(),
        escaped(&about)
    );
    if !spoke(meter) {
        out.push_str("<tr><td colspan=\"5\">unknown: the meter said nothing usable</td></tr>\n");
        return;
    }
    let nested = meter.nested;
    let mut row = |class: &str,
                   name: &str,
                   account: &str,
                   energy: Energy,
                   half: Option<u64>,
                   known: bool| {
        let [value, error, unit] = energy_text.cells(known.then_some(energy.with_idle.0), half);
        let above = (known && meter.baseline.is_some()).then_some(energy.above_idle.0);
        let share = percent(energy.with_idle.0, meter.total.0).filter(|_| known);
        let _ = writeln!(
            out,
            "<tr class=\"{class}\"><td>{name}</td>\
             <td class=\"n\" data-account=\"{account}\" data-nested=\"{nested}\" data-v=\"{}\">{value} {unit}</td>\
             <td class=\"d\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            energy.with_idle.0,
            if error.is_empty() {
                String::new()
            } else {
                format!("{error}&nbsp;{unit}")
            },
            energy_text.short(above, half),
            share.map_or_else(|| "–".to_owned(), |text| escaped(&text)),
        );
    };
    for account in Account::ALL {
        let energy = meter.accounts.get(&account).copied().unwrap_or_default();
        let half = meter.widths.get(&account).map(|width| width.total().0);
        // Nothing is booked as idle where idle power is unknown: that is not an
        // idle energy of zero.
        let known =
            account != Account::Idle || meter.baseline.is_some() || energy != Energy::default();
        let class = if account == Account::Target {
            "target"
        } else {
            ""
        };
        row(class, label(account), account.name(), energy, half, known);
    }
    let total = Energy {
        with_idle: meter.total,
        above_idle: meter.total,
    };
    let coarsest = meter.widths.values().map(|width| width.total().0).max();
    let [value, _, unit] = energy_text.cells(Some(total.with_idle.0), coarsest);
    let _ = writeln!(
        out,
        "<tr class=\"sum\"><td>= the meter</td><td class=\"n\">{value} {unit}</td><td></td><td></td><td class=\"n\">100.0 %</td></tr>"
    );
}
