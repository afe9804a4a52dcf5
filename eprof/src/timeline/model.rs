//! A meter that is no meter: package power from CPU time.
//!
//! P = Σ over CPUs of `idle_w`, plus `busy_w − idle_w` while the CPU runs
//! anything. This is the linear model of the Cloud Carbon Footprint project
//! (Wmin + (Wmax − Wmin) × utilisation, per vCPU). Its result is estimated,
//! never measured.

use crate::measurement::CpuAccount;
use crate::unit::Nanos;

use super::scale::Scale;
use super::span::busy;

/// The running total of one model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    /// Microjoules per CPU-nanosecond that passes; `None` for zero watts.
    idle: Option<Scale>,
    /// Microjoules per busy CPU-nanosecond, above idle.
    busy: Option<Scale>,
    passed: u128,
    worked: u128,
    total_uj: u64,
}

impl Model {
    /// A model with the power of one idle and of one busy CPU, in watts.
    /// `None` where these make no sense.
    pub(super) fn new(idle_w: f64, busy_w: f64) -> Option<Self> {
        if !(idle_w >= 0.0 && busy_w >= idle_w && busy_w.is_finite() && busy_w > 0.0) {
            return None;
        }
        Some(Self {
            idle: Scale::new(idle_w / 1e3),
            busy: Scale::new((busy_w - idle_w) / 1e3),
            passed: 0,
            worked: 0,
            total_uj: 0,
        })
    }

    /// The energy, in microjoules, of `length` on `cpus` CPUs that did what
    /// `accounts` say. `None` for an unphysical total.
    pub(super) fn push(
        &mut self,
        length: Nanos,
        cpus: usize,
        accounts: &[CpuAccount],
    ) -> Option<u64> {
        let passed = u128::from(length.0) * cpus as u128;
        self.passed = self.passed.saturating_add(passed);
        // A CPU cannot be busy for longer than the time that passed.
        let worked = u128::from(busy(accounts).0).min(passed);
        self.worked = self.worked.saturating_add(worked);
        let of = |scale: Option<Scale>, time| scale.map_or(Some(0), |scale| scale.floor(time));
        let total = of(self.idle, self.passed)?.checked_add(of(self.busy, self.worked)?)?;
        let energy = total.checked_sub(self.total_uj)?;
        self.total_uj = total;
        Some(energy)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;
    use crate::measurement::Signals;

    fn working(milliseconds: u64) -> CpuAccount {
        CpuAccount {
            target: Signals::of_time(Nanos(milliseconds * 1_000_000)),
            ..CpuAccount::default()
        }
    }

    #[test]
    fn half_busy_lies_half_way() {
        let mut model = Model::new(1.0, 5.0).unwrap();
        let second = Nanos(1_000_000_000);
        // Two CPUs, one of them busy half the time: 2 × 1 J + 0.5 s × 4 W.
        let energy = model.push(second, 2, &[working(500), working(0)]);
        assert_eq!(energy, Some(4_000_000));
    }

    #[test]
    fn many_short_intervals_add_up_to_one_long_one() {
        let (mut short, mut long) = (Model::new(0.3, 4.7), Model::new(0.3, 4.7));
        let parts: u64 = (0..10_007)
            .filter_map(|_| short.as_mut()?.push(Nanos(9_999_991), 3, &[working(7)]))
            .sum();
        let whole =
            long.as_mut()
                .unwrap()
                .push(Nanos(9_999_991 * 10_007), 3, &[working(7 * 10_007)]);
        assert_eq!(Some(parts), whole);
    }

    #[test]
    fn a_model_must_make_sense() {
        for (idle, busy) in [(-1.0, 2.0), (3.0, 2.0), (0.0, 0.0), (0.0, f64::NAN)] {
            assert!(Model::new(idle, busy).is_none(), "{idle} {busy}");
        }
    }
}
