//! Power over time: the picture, the page, and the Firefox Profiler's format.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption is a failed test"
)]

#[path = "pages/browser.rs"]
mod browser;
#[path = "pages/firefox.rs"]
mod firefox;
#[path = "pages/recordings.rs"]
mod recordings;
#[path = "pages/report.rs"]
mod report;
mod support;
#[path = "pages/timeline.rs"]
mod timeline;
