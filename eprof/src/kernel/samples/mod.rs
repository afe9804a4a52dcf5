//! Stack samples: the timers that take them, the ring that brings them.

pub(super) mod decode;
pub(super) mod ring;
pub(super) mod timers;
pub(super) mod wakeup;
