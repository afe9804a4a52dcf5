//! A simulated machine: power over time, and registers that are updated by a
//! stable clock with jitter.

use eprof::measurement::{
    Domain, Meter, MeterId, Provenance, Quantity, Reading, Scope, SourceKind,
};
use eprof::unit::{Nanos, Timestamp, Watts};

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct Dice(pub u64);

impl Dice {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// How a register is updated.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    pub period_us: f64,
    pub jitter_us: f64,
    /// Time of the first update.
    pub first_us: f64,
    /// Part of the updates that are left out.
    pub missing: f64,
    /// The clock jumps by half a period at this time, once.
    pub jump_s: Option<f64>,
    /// Energy per count.
    pub unit_uj: f64,
    /// Part of the power that it counts.
    pub share: f64,
}

/// As in the published update-rate traces of a two-socket server, in units of
/// 2^-14 J.
pub const PACKAGE: Register = Register {
    period_us: 1003.1,
    jitter_us: 34.0,
    first_us: 377.0,
    missing: 0.0002,
    jump_s: None,
    unit_uj: 61.035_156_25,
    share: 1.0,
};

/// Power over time, watts: constant between the times.
pub struct Power {
    steps: Vec<(f64, f64)>,
    /// Microjoules up to each step.
    energy: Vec<f64>,
}

impl Power {
    pub fn new(steps: Vec<(f64, f64)>) -> Self {
        let mut energy = vec![0.0];
        for pair in steps.windows(2) {
            let before = energy.last().unwrap();
            energy.push(before + pair[0].1 * (pair[1].0 - pair[0].0) / 1e3);
        }
        Self { steps, energy }
    }

    pub fn constant(watts: f64) -> Self {
        Self::new(vec![(0.0, watts)])
    }

    /// Between two powers, dwelling at each for an exponential time.
    pub fn telegraph(low: f64, high: f64, dwell_ms: f64, seconds: f64, dice: &mut Dice) -> Self {
        let (mut at, mut steps) = (0.0, Vec::new());
        while at < seconds * 1e9 {
            steps.push((at, if steps.len() % 2 == 0 { low } else { high }));
            at -= dwell_ms * 1e6 * dice.uniform().ln();
        }
        Self::new(steps)
    }

    /// Microjoules up to `ns`.
    pub fn until(&self, ns: f64) -> f64 {
        let step = self.steps.partition_point(|step| step.0 <= ns) - 1;
        self.energy[step] + self.steps[step].1 * (ns - self.steps[step].0) / 1e3
    }
}

/// Registers over a power.
pub struct World {
    pub power: Power,
    pub registers: Vec<Register>,
    /// The times of all updates, by register.
    updates: Vec<Vec<f64>>,
}

impl World {
    pub fn new(power: Power, registers: Vec<Register>, seconds: f64, dice: &mut Dice) -> Self {
        let updates = registers
            .iter()
            .map(|register| {
                let count = (seconds * 1e6 / register.period_us) as u64 + 100;
                let mut times = vec![0.0];
                for n in 0..count {
                    let mut clock = register.first_us * 1e3 + n as f64 * register.period_us * 1e3;
                    if register.jump_s.is_some_and(|jump| clock > jump * 1e9) {
                        clock += register.period_us * 500.0;
                    }
                    let at = clock + dice.normal() * register.jitter_us * 1e3;
                    if dice.uniform() >= register.missing {
                        times.push(at.max(*times.last().unwrap()));
                    }
                }
                times
            })
            .collect();
        Self {
            power,
            registers,
            updates,
        }
    }

    /// The last update at `ns`.
    pub fn update(&self, register: usize, ns: f64) -> f64 {
        let updates = &self.updates[register];
        updates[updates.partition_point(|at| *at <= ns) - 1]
    }

    /// All registers, read one after the other from `at` on.
    pub fn read(&self, at: f64) -> Vec<Reading> {
        (0..self.registers.len())
            .map(|number| {
                let register = &self.registers[number];
                let begin = at + number as f64 * 2e3;
                let energy = self.power.until(self.update(number, begin + 1e3)) * register.share;
                Reading {
                    meter: MeterId(number as u16),
                    raw: (energy / register.unit_uj) as u64 + 1_000_000,
                    begin: Timestamp(begin as u64),
                    end: Timestamp(begin as u64 + 2_000),
                    updated: None,
                }
            })
            .collect()
    }

    pub fn meters(&self) -> Vec<Meter> {
        let meter = |(number, register): (usize, &Register)| Meter {
            id: MeterId(number as u16),
            kind: SourceKind::Perf,
            name: format!("register {number}"),
            domain: if number == 0 {
                Domain::Package
            } else {
                Domain::Dram
            },
            scope: Scope::Machine,
            cpus: vec![0],
            quantity: Quantity::Counter {
                unit_uj: register.unit_uj,
                modulus: None,
            },
            provenance: Provenance::Measured,
            nested: false,
            update_period: Nanos(1_000_000),
            plausible: Watts(1000.0),
        };
        self.registers.iter().enumerate().map(meter).collect()
    }
}

/// How long after an alarm a program runs, ns: mostly some ten microseconds,
/// now and then milliseconds.
pub fn latency(dice: &mut Dice) -> f64 {
    let usual = 15e3 * (0.7 * dice.normal()).exp();
    if dice.uniform() < 0.01 {
        // Pareto, from 100 µs to 5 ms, with α = 1.5.
        usual + 100e3 * dice.uniform().max(0.003).powf(-1.0 / 1.5)
    } else {
        usual
    }
}
