//! The target: the command whose energy is asked for.
//!
//! ```text
//!   user ─ Identity ─┐
//!   cgroup ─ Follow ─┼─► spawn ─ Prepared ─ Child ─► wait ─ Event ─► stop ─ Action
//!   command ─ Command┘                       signal ─┘      └──► supervise
//! ```
//!
//! A run goes like this:
//!
//! 1. [`SignalSet::block`], before any other thread exists;
//! 2. [`Identity::resolve`] says whom the target runs as and who owns the files;
//! 3. [`follow()`] makes a fresh cgroup (and clears those of dead runs), or says
//!    why there can be none;
//! 4. [`prepare`], then [`Prepared::spawn`]: the child exists, inside the
//!    cgroup, but has not yet run anything of the target;
//! 5. [`Child::release`] lets it exec;
//! 6. [`Supervisor::next`] until the root process has ended: it waits by a
//!    [`Waiter`], lets [`Stop`] decide about signals, and carries that out;
//! 7. [`Child::reap`], then [`Cgroup::remove`].

mod as_owner;
pub mod cgroup;
pub(super) mod child;
mod clear;
pub(super) mod clone;
pub mod command;
mod credentials;
pub(super) mod exec_image;
pub mod follow;
mod job_control;
mod lock;
pub mod output_directory;
pub mod output_file;
mod rename;
pub mod run_name;
pub mod signal;
pub mod spawn;
pub mod stop;
pub mod supervise;
pub mod sweep;
mod tree;
pub mod user;
pub mod wait;
pub mod writable;

pub use cgroup::Cgroup;
pub use command::{Command, InheritedFiles, Limits, Streams};
pub use follow::{Follow, follow};
pub use output_file::OutputFile;
pub use signal::{Arrival, Origin, Received, SignalSet};
pub use spawn::{Child, ExitStatus, Prepared, prepare};
pub use stop::{Action, Stop, enforce};
pub use supervise::{Supervised, Supervisor, Wakeup};
pub use user::{Identity, RunAs, UserId};
pub use wait::{Event, Waiter};
