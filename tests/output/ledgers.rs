//! Header and ledger of a synthetic run.

use std::collections::BTreeMap;

use eprof::attribute::{Account, Energy, HalfWidth, Ledger, MeterLedger};
use eprof::measurement::{
    Baseline, CpuGroup, CpuGroupId, Domain, Meter, MeterId, Quantity, Scope, SourceKind,
};
use eprof::recording::{Command, Header};
use eprof::unit::{Microjoules, Nanos, Timestamp, Watts};

use super::synthetic::{Synthetic, Thread};

impl Synthetic {
    pub(crate) fn header(&self) -> Header {
        let meter = |id, domain, name: &str, nested| Meter {
            id: MeterId(id),
            kind: if self.estimated {
                SourceKind::Model
            } else {
                SourceKind::Perf
            },
            name: name.to_owned(),
            domain,
            scope: Scope::Machine,
            cpus: vec![0, 1],
            quantity: Quantity::Counter {
                unit_uj: 61.0,
                modulus: None,
            },
            provenance: self.provenance(),
            nested,
            update_period: Nanos(1_000_000),
            plausible: Watts(500.0),
        };
        let (package, dram, core) = if self.estimated {
            ("model/package", "model/dram", "model/core")
        } else {
            (
                "power/energy-pkg/",
                "power/energy-ram/",
                "power/energy-cores/",
            )
        };
        Header {
            eprof: "0.1.0".to_owned(),
            object: "prebuilt 0123abcd".to_owned(),
            wall_clock_ns: 1_790_000_000_000_000_000,
            started: Timestamp(1_000_000_000),
            host: "lab".to_owned(),
            kernel: "6.12.0".to_owned(),
            cpu_model: "A CPU".to_owned(),
            command: Command {
                argv: self.argv.clone(),
                directory: "/src/bench".to_owned(),
            },
            frequency_hz: 997,
            interval: Nanos(50_000_000),
            follow: "cgroup".to_owned(),
            meters: vec![
                meter(0, Domain::Package, package, false),
                meter(1, Domain::Dram, dram, false),
                meter(2, Domain::Core, core, true),
            ],
            cpu_groups: vec![CpuGroup {
                id: CpuGroupId(0),
                cpus: vec![0, 1],
                core: String::new(),
            }],
            baselines: if self.baseline {
                vec![Baseline {
                    meter: MeterId(0),
                    power: Watts(3.5),
                    sd: Watts(0.1),
                    origin: "before-run".to_owned(),
                }]
            } else {
                Vec::new()
            },
            ..Header::default()
        }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let target: u64 = self.threads.iter().map(Thread::uj).sum();
        let dram_of_threads: u64 = self.threads.iter().map(|t| t.uj() / 5).sum();
        let meter = |id, domain, name: &str, nested, target: u64, others: &[(Account, u64)]| {
            let mut accounts: BTreeMap<Account, Energy> = Account::ALL
                .into_iter()
                .map(|account| (account, Energy::default()))
                .collect();
            let mut above = Energy {
                with_idle: Microjoules(target),
                above_idle: Microjoules(target),
            };
            if domain == Domain::Package {
                // All of what is not above idle is the package's.
                for thread in &self.threads {
                    let energy = self.of_thread(thread);
                    above.above_idle.0 -= energy.with_idle.0 - energy.above_idle.0;
                }
            }
            let mut shifted = above.with_idle.0 - above.above_idle.0;
            accounts.insert(Account::Target, above);
            for (account, uj) in others {
                let mut energy = self.energy(*uj);
                if *account == Account::Idle {
                    energy.above_idle = energy.with_idle;
                } else {
                    shifted += energy.with_idle.0 - energy.above_idle.0;
                }
                accounts.insert(*account, energy);
            }
            if let Some(idle) = accounts.get_mut(&Account::Idle) {
                idle.above_idle += Microjoules(shifted);
            }
            let widths = accounts
                .iter()
                .map(|(account, energy)| {
                    let width = HalfWidth {
                        weights: 0.0,
                        timing: energy.with_idle.0 as f64 * 0.004,
                        sampling: 0.0,
                        baseline: if self.baseline { 20_000.0 } else { 0.0 },
                    };
                    (*account, width)
                })
                .collect();
            MeterLedger {
                meter: MeterId(id),
                domain,
                name: name.to_owned(),
                provenance: self.provenance(),
                nested,
                total: Microjoules(target + others.iter().map(|(_, uj)| uj).sum::<u64>()),
                unknown: Nanos::ZERO,
                baseline: self.baseline.then_some(Microjoules(17_500_000)),
                accounts,
                widths,
            }
        };
        let header = self.header();
        let name = |id: usize| header.meters[id].name.as_str();
        Ledger {
            meters: vec![
                meter(
                    0,
                    Domain::Package,
                    name(0),
                    false,
                    target - dram_of_threads,
                    &self.others,
                ),
                meter(
                    1,
                    Domain::Dram,
                    name(1),
                    false,
                    dram_of_threads,
                    &[(Account::Idle, 900_000)],
                ),
                meter(
                    2,
                    Domain::Core,
                    name(2),
                    true,
                    target / 2,
                    &[(Account::Other, 1_000_000)],
                ),
            ],
        }
    }
}
