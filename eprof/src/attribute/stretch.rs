//! A stretch of time and who was charged with it: the ledger as it grows.

use std::collections::BTreeMap;

use crate::kernel::TaskId;
use crate::timeline::Interval;

use super::activity::{Payer, Work};
use super::book::Shares;
use super::ledger::{Account, Price};

/// What one meter said about a stretch of time, and who paid. The sum of the
/// accounts is what the meter said, and the sum of the threads what the target
/// paid, to the microjoule.
#[derive(Clone, Debug)]
pub struct Stretch<'a> {
    /// When, by which meter, and what was done in it.
    pub interval: &'a Interval,
    /// By account, those that paid something.
    pub accounts: BTreeMap<Account, Price>,
    /// By thread of the target.
    pub threads: Vec<(TaskId, Price)>,
}

impl<'a> Stretch<'a> {
    pub(super) fn new(interval: &'a Interval, payers: &[(Payer, Work)], shares: &Shares) -> Self {
        let mut accounts: BTreeMap<Account, Price> = BTreeMap::new();
        let mut threads = Vec::new();
        for (&(payer, _), share) in payers.iter().zip(&shares.payers) {
            let account = match payer {
                Payer::Thread(task) => {
                    threads.push((task, share.price));
                    Account::Target
                }
                Payer::Account(account) => account,
            };
            *accounts.entry(account).or_default() += share.price;
        }
        *accounts.entry(Account::Idle).or_default() += shares.idle;
        *accounts.entry(Account::Unattributed).or_default() += shares.unattributed;
        accounts.retain(|_, price| *price != Price::default());
        Self {
            interval,
            accounts,
            threads,
        }
    }

    /// What an account paid.
    pub fn paid(&self, account: Account) -> Price {
        self.accounts.get(&account).copied().unwrap_or_default()
    }
}
