//! Energy flamegraphs.
//!
//! ```text
//! folded stacks ─► draw (inferno: boxes, zoom, search) ─► decorate ─► an SVG document
//!           └────► frames (what each box is: palette) ───────┘   └─► inline: part of a page
//! ```
//!
//! `svg` edits what inferno drew as XML, and fails where something is missing.

pub(super) mod decorate;
pub(super) mod draw;
pub mod flame;
pub(super) mod frames;
pub(super) mod inline;
pub(super) mod palette;
mod svg;
