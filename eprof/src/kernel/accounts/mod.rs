//! What every thread and CPU did, and the boundaries of intervals.

pub(super) mod boundary;
pub(super) mod cell;
pub(super) mod shared;
pub(super) mod task_table;
