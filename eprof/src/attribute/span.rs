//! A stretch of time and who was charged with it: the ledger as it grows.

use crate::measurement::{Signals, TaskId};
use crate::timeline::Interval;

use super::activity::{Payer, Work};
use super::ledger::{Account, Price};
use super::meter_accounts::Shares;
use super::process::Processes;

/// What one meter said about a stretch of time, and who paid. The sum of the
/// accounts is what the meter said, and the sum of the threads what the target
/// paid, to the microjoule. A view: it costs nothing until it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// When, by which meter, and what was done in it.
    pub interval: &'a Interval,
    processes: &'a Processes,
    payers: &'a [(Payer, Work)],
    shares: &'a Shares,
}

impl<'a> Stretch<'a> {
    pub(super) fn new(
        interval: &'a Interval,
        processes: &'a Processes,
        payers: &'a [(Payer, Work)],
        shares: &'a Shares,
    ) -> Self {
        Self {
            interval,
            processes,
            payers,
            shares,
        }
    }

    fn paid_by_payers(&self) -> impl Iterator<Item = (Payer, Price)> {
        let shares = self.shares.payers.iter();
        let payers = self.payers.iter().zip(shares);
        payers.map(|(&(payer, _), share)| (payer, share.price))
    }

    /// What the target did on the CPUs of the meter.
    pub fn target(&self) -> Signals {
        let Interval { cpus, threads, .. } = self.interval;
        self.processes.of_target(cpus, threads)
    }

    /// What the threads of the target paid that ran.
    pub fn threads(&self) -> impl Iterator<Item = (TaskId, Price)> {
        self.paid_by_payers()
            .filter_map(|(payer, price)| match payer {
                Payer::Thread(task) => Some((task, price)),
                Payer::Account(_) => None,
            })
    }

    /// What an account paid.
    pub fn paid(&self, account: Account) -> Price {
        let mut sum = match account {
            Account::Idle => self.shares.idle,
            Account::Unattributed => self.shares.unattributed,
            _ => Price::default(),
        };
        for (payer, price) in self.paid_by_payers() {
            if payer.account() == account {
                sum += price;
            }
        }
        sum
    }
}
