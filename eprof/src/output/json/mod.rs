//! The JSON report, `eprof-report/1`.
//!
//! The schema is [`SCHEMA`] (`report.schema.json` beside this file). Within
//! version 1 keys are only ever added. All keys are always present, in a fixed
//! order; what was not measured is `null`, never 0.
//!
//! | key | what |
//! |---|---|
//! | `schema` | `eprof-report/1` |
//! | `command`, `exit_code`, `duration_s` | what ran; `exit_code` is `null` where the recording was cut off |
//! | `source` | `kind` (`perf`, `powercap`, … or `null`), `provenance` (`measured` or `estimated`), `band` (for estimates: the factors `low` and `high` between which the truth lies in 90 % of cases), `weights`, and the `meters` |
//! | `energy_uj` | the total of all meters that no other meter contains |
//! | `target` | the target's account over those meters |
//! | `signals` | what the target did: counters, switches, wakeups, migrations |
//! | `carbon` | what `energy_uj` and `target` stand for in grams of CO₂ equivalent, with the factor and its source; `null` unless it was asked for |
//! | `members` | the runs that were added up (see `eprof merge`), empty for a single one; they add up to `target` and, in `total_uj`, to `energy_uj` |
//! | `ledger` | per meter and account; per meter, `uj` adds up to the meter's `total_uj`, and so does `marginal_uj` |
//! | `processes`, `threads`, `modules`, `cpus` | each adds up to `target`, in `uj` and in `marginal_uj` |
//! | `functions` | `self_uj` adds up to `target`; `total_uj` includes callees and does not |
//! | `omitted` | with a limit: per kind of rows, the number and the sum of those left out |
//! | `losses` | what was lost, by reason; empty means nothing; null: not known |
//! | `stacks` | of how many samples there is a stack, how many of them are `whole` (reach their root), and why the others `ended` |
//! | `footprint` | what eprof itself cost |
//! | `recording` | with what, where and when |
//! | `caveats` | what makes the numbers less true |
//!
//! `uj` is energy with the row's share of the idle cost, `marginal_uj` above
//! idle (`null` where idle power is unknown), both in integer microjoules.
//! `ci90_uj` is half of the 90 % interval around `uj`; of an estimate it is
//! at least as wide as the model's band, which is common to all rows and so
//! does not touch their shares.
//!
//! `signals` of processes and threads add up to the target's (but for what no
//! known thread did). Those of functions have the hardware counters only, which
//! are divided over a thread's stacks as its samples counted.

pub mod calibration;
mod carbon;
pub mod doctor;
mod document;
mod energy;
pub mod list;
mod members;
mod meters;
mod origin;
mod rows;
mod schema;
mod signals;
mod write;

pub use schema::{SCHEMA, VERSION};
pub use write::write;
