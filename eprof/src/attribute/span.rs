//! A span of time and who was charged with it: the ledger as it grows.

use crate::measurement::{Signals, TaskId};
use crate::timeline::Interval;

use super::activity::{Consumer, Work};
use super::ledger::{Account, Energy};
use super::meter_accounts::Shares;
use super::process::Processes;

/// The energy of one meter over a span of time, and who is charged with it. The
/// accounts add up to the energy, and the threads to that of the target, to the
/// microjoule. A view: it costs nothing until it is asked.
#[derive(Clone, Copy, Debug)]
pub struct ChargedSpan<'a> {
    /// When, by which meter, and what was done in it.
    pub interval: &'a Interval,
    processes: &'a Processes,
    consumers: &'a [(Consumer, Work)],
    shares: &'a Shares,
}

impl<'a> ChargedSpan<'a> {
    pub(super) fn new(
        interval: &'a Interval,
        processes: &'a Processes,
        consumers: &'a [(Consumer, Work)],
        shares: &'a Shares,
    ) -> Self {
        Self {
            interval,
            processes,
            consumers,
            shares,
        }
    }

    fn charges(&self) -> impl Iterator<Item = (Consumer, Energy)> {
        let shares = self.shares.consumers.iter();
        let consumers = self.consumers.iter().zip(shares);
        consumers.map(|(&(consumer, _), share)| (consumer, share.energy))
    }

    /// What the target did on the CPUs of the meter.
    pub fn target(&self) -> Signals {
        let Interval { cpus, threads, .. } = self.interval;
        self.processes.of_target(cpus, threads)
    }

    /// The energy of the threads of the target that ran.
    pub fn threads(&self) -> impl Iterator<Item = (TaskId, Energy)> {
        self.charges()
            .filter_map(|(consumer, energy)| match consumer {
                Consumer::Thread(task) => Some((task, energy)),
                Consumer::Account(_) => None,
            })
    }

    /// The energy of an account.
    pub fn charged(&self, account: Account) -> Energy {
        let mut sum = match account {
            Account::Idle => self.shares.idle,
            Account::Unattributed => self.shares.unattributed,
            _ => Energy::default(),
        };
        for (consumer, energy) in self.charges() {
            if consumer.account() == account {
                sum += energy;
            }
        }
        sum
    }
}
