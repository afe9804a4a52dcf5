//! The command line: what was typed ([`args`]) and what each command does.
//!
//! Parsing does no IO; a command's file calls the pipeline and the outputs.

pub mod args;
mod duration;
