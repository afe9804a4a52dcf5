//! Bounds that are not met yet.

/// Programs and why their stacks are not as they should be yet. One that
/// is as it should be is reported, so that it can be taken off the list.
pub const PENDING: &[(&str, &str)] = &[];

/// Why a program's bound is not met yet.
pub fn pending(name: &str) -> Option<&'static str> {
    let mut pending = PENDING.iter();
    pending.find_map(|(program, why)| (*program == name).then_some(*why))
}
