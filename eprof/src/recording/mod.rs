//! The recording, `eprof.data`: everything measured, nothing interpreted.
//!
//! It streams: one frame per interval, so that a crash loses at most the last
//! one. `eprof run` and `eprof report` attribute from the same records.

pub mod record;

pub use record::{
    Baseline, Command, End, Footprint, Frame, FrameId, Header, IntervalRecord, Object, ObjectId,
    Record, SampleCount, StackId, StackNode, Symbol, Zone,
};
