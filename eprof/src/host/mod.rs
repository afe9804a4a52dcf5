//! What machine this is: its CPUs, its kernel, what it lets us do.

pub mod root;
