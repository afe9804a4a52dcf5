//! The report as one page: summary, caveats, ledger, power over time,
//! flamegraph and tables.
//!
//! The page needs nothing but itself, and its policy (Content Security Policy,
//! <https://www.w3.org/TR/CSP3/>) lets it load nothing. Names of processes and
//! functions are foreign: each is made visible, and whatever is put into the
//! page is escaped unless its type says that it is markup. Without JavaScript,
//! all is there but sorting and zooming.

mod columns;
mod ledger;
mod members;
mod page;
mod policy;
mod summary;
mod tables;

pub use page::write;
