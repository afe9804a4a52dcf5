//! A process of eprof's own that has given up what it does not need, and how the
//! other one talks with it.
//!
//! Files of strangers are read by parsers that others wrote. A flaw in one of them,
//! or a file that was made to be expensive, must not have eprof's privileges, nor end
//! it. So eprof starts itself once more, and that process gives up its privileges,
//! the network and most system calls before it looks at anything ([`Bounds::enforce`]).

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod filter;
mod helper;
mod inbox;
mod limits;
mod pass;

pub(crate) use helper::{Ended, Helper, Sight};
pub(crate) use inbox::envelope;
pub(crate) use limits::{Bounds, Person, begin};
pub(crate) use pass::{receive, unpack};
