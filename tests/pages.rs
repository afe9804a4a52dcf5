//! Power over time: the picture, the page, and the Firefox Profiler's format.
mod browser;
mod firefox;
mod recordings;
mod report;
mod timeline;
