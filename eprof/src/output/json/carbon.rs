//! Energy as greenhouse gas, in the report.

use serde::Serialize;

use crate::attribute::Account;
use crate::carbon::Carbon;
use crate::profile::Profile;

use super::super::format::energy::EnergyText;

#[derive(Serialize)]
pub(super) struct Emitted<'p> {
    g_per_kwh: f64,
    source: Option<&'p str>,
    total_g: Option<f64>,
    target_g: Option<f64>,
}

impl<'p> Emitted<'p> {
    pub(super) fn new(carbon: &'p Carbon, profile: &Profile, energy_text: EnergyText) -> Self {
        let target = profile.ledger.account(Account::Target);
        let total = profile.ledger.total();
        Self {
            g_per_kwh: carbon.grams_per_kwh,
            source: carbon.source.as_deref(),
            total_g: energy_text.known.then(|| carbon.grams(total)),
            target_g: energy_text.known.then(|| carbon.grams(target.with_idle)),
        }
    }
}
