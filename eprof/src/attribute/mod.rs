//! Attribution: the energy of each interval is charged to accounts, threads
//! and stacks.
//!
//! Pure, and conserving in integer microjoules: per meter,
//! target + other + kernel + eprof + idle + unattributed = what the meter
//! said, for both prices; Σ threads = target; Σ stacks = target.

pub mod ledger;

pub use ledger::{
    Account, Attributed, CpuCharge, HalfWidth, Ledger, MeterLedger, Price, StackCharge,
    ThreadCharge,
};
