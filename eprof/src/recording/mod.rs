//! The recording, `eprof.data`: everything measured, nothing interpreted.
//!
//! It streams: one block per interval, so that a crash loses at most the last
//! one. `eprof run` and `eprof report` attribute from the same records.
//!
//! ```text
//!   run:     events, samples, accounts, readings ─► Capture ─► Writer ─► eprof.data
//!                                                   (interns)  (checks)
//!   report:  eprof.data ─► Reader ─► RecordingFile { Catalog, intervals() }
//!                          (checks)
//! ```

mod accounts;
mod blocks;
mod budget;
pub mod bytes;
pub mod capture;
pub mod catalog;
pub mod check;
mod compress;
pub mod file;
pub mod format;
mod interval_header;
pub mod load;
pub mod merged;
mod merged_head;
mod missing;
mod prefetch;
pub mod read;
pub mod record;
mod samples;
pub mod sink;
pub mod stack;
pub mod text;
pub mod unfinished;
mod varint;
pub mod write;

pub use bytes::Bytes;
pub use capture::{Capture, Finished};
pub use catalog::{Catalog, Rename};
pub use file::{Intervals, RecordingFile, Samples};
pub use load::Recording;
pub use merged::{Merged, MergedWriter};
pub use missing::UNFINISHED;
pub use read::Reader;
pub use record::{Command, End, Extent, Footprint, Header, IntervalRecord, Record, SampleCount};
pub use sink::Sink;
pub use stack::StackTable;
pub use unfinished::is_unfinished;
pub use write::Writer;
