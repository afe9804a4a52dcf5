//! What all writers share: how a value is written, and facts about a run. Imports nothing of the other rooms of output.

pub(super) mod accounts;
pub(super) mod attribution;
pub(super) mod energy;
pub(super) mod event;
pub(super) mod facts;
pub(super) mod number;
pub(super) mod sanitize;
pub(super) mod title;
