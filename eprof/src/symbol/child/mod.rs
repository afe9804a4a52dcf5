//! Names are looked up in processes of their own.
//!
//! ```text
//!   resolve, late ─ Errand ─► crew ─ Quest, file ─► serve ─► find, source ─► lookup
//!        ▲                     │ ◄──── Answer ──────┘
//!        └────── News ─────────┘ ─ build id ──────► fetch (debuginfod)
//! ```
//!
//! Whoever looks names up ([`serve`]) reads files of strangers with parsers that others
//! wrote. It is the calling user without any privileges, reads and answers only, and has
//! bounds on memory and time. It may die: then the names of one file are missing, and a
//! caveat says so. Whoever asks servers (`fetch`) uses the network and writes to the
//! cache, and looks at no more of a file than its build id.

mod budget;
mod crew;
mod fetch;
mod find;
mod legacy;
mod links;
mod memory;
mod message;
mod misfortune;
mod serve;
mod source;

pub(super) use crew::{Client, Errand, Find, crew};
pub(super) use message::{Depth, Quest};
pub use serve::serve_if_asked;
