//! Attribution: the energy of each interval is charged to accounts, threads
//! and stacks.
//!
//! The room is pure. It conserves energy in integer microjoules: per meter,
//! target + other + kernel + eprof + idle + unattributed = what the meter
//! counted, above idle and with the idle share; Σ threads = target; Σ stacks =
//! target.
//!
//! ```text
//!   IntervalRecord ─► Timeline ─► Interval ─► FirstPass ─► Weigher (first pass)
//!   IntervalRecord ─► Timeline ─► Interval ─► Attribution::charge ─┐ (second pass)
//!                └──────────────────────────► Attribution::count  ─┴─► Attributed
//! ```

mod activity;
mod attribution;
mod caveats;
mod check;
mod columns;
mod counts;
mod first_pass;
mod idle;
pub mod ledger;
mod meter_accounts;
mod observer;
mod passes;
mod places;
mod pool;
mod process;
mod sampled;
mod settings;
mod span;
mod training_blocks;
pub mod uncertainty;
mod weigh;

pub use attribution::Attribution;
pub use check::check;
pub use ledger::{
    Account, Attributed, CpuCharge, Energy, HalfWidth, Ledger, MeterLedger, ProcessCharge, Rule,
    StackCharge, ThreadCharge, Weighing,
};
pub use observer::Observer;
pub use passes::attribute;
pub use process::{Processes, UNNAMED};
pub use settings::{Settings, Weights};
pub use span::ChargedSpan;
