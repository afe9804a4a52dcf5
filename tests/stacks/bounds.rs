//! Bounds that are not met yet.

/// Programs (`*`: all) and why their stacks are not as they should be yet. One
/// that is as it should be is reported, so that it can be taken off the list.
pub const PENDING: &[(&str, &str)] = &[("*", "user stacks are walked by frame pointers only")];

/// Why a program's bound is not met yet.
pub fn pending(name: &str) -> Option<&'static str> {
    let mut pending = PENDING.iter();
    pending.find_map(|(program, why)| (*program == name || *program == "*").then_some(*why))
}
