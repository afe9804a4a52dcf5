//! A stretch of time and who was charged with it: the ledger as it grows.

use crate::measurement::{Signals, TaskId};
use crate::timeline::Interval;

use super::activity::{Consumer, Work};
use super::ledger::{Account, Energy};
use super::meter_accounts::Shares;
use super::process::Processes;

/// What one meter said about a stretch of time, and who paid. The sum of the
/// accounts is what the meter said, and the sum of the threads what the target
/// paid, to the microjoule. A view: it costs nothing until it is asked.
#[derive(Clone, Copy, Debug)]
pub struct ChargedSpan<'a> {
    /// When, by which meter, and what was done in it.
    pub interval: &'a Interval,
    processes: &'a Processes,
    payers: &'a [(Consumer, Work)],
    shares: &'a Shares,
}

impl<'a> ChargedSpan<'a> {
    pub(super) fn new(
        interval: &'a Interval,
        processes: &'a Processes,
        payers: &'a [(Consumer, Work)],
        shares: &'a Shares,
    ) -> Self {
        Self {
            interval,
            processes,
            payers,
            shares,
        }
    }

    fn paid_by_payers(&self) -> impl Iterator<Item = (Consumer, Energy)> {
        let shares = self.shares.payers.iter();
        let payers = self.payers.iter().zip(shares);
        payers.map(|(&(payer, _), share)| (payer, share.energy))
    }

    /// What the target did on the CPUs of the meter.
    pub fn target(&self) -> Signals {
        let Interval { cpus, threads, .. } = self.interval;
        self.processes.of_target(cpus, threads)
    }

    /// What the threads of the target paid that ran.
    pub fn threads(&self) -> impl Iterator<Item = (TaskId, Energy)> {
        self.paid_by_payers()
            .filter_map(|(payer, energy)| match payer {
                Consumer::Thread(task) => Some((task, energy)),
                Consumer::Account(_) => None,
            })
    }

    /// What an account paid.
    pub fn paid(&self, account: Account) -> Energy {
        let mut sum = match account {
            Account::Idle => self.shares.idle,
            Account::Unattributed => self.shares.unattributed,
            _ => Energy::default(),
        };
        for (payer, energy) in self.paid_by_payers() {
            if payer.account() == account {
                sum += energy;
            }
        }
        sum
    }
}
