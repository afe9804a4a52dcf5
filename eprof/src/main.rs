//! The `eprof` command.

fn main() {}
