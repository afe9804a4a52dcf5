//! Bounds that are not met yet.

/// Code made at run time without frame pointers.
pub const GLUED: &str = "generated, no frame pointers";

/// Programs and why their stacks are not as they should be yet. One that
/// is as it should be is reported, so that it can be taken off the list.
pub const PENDING: &[(&str, &str)] = &[(
    GLUED,
    "code that is made at run time is believed to keep frame pointers: nothing tells \
     where its functions begin, so that it cannot be looked at as a file's code is",
)];

/// Why a program's bound is not met yet.
pub fn pending(name: &str) -> Option<&'static str> {
    let mut pending = PENDING.iter();
    pending.find_map(|(program, why)| (*program == name).then_some(*why))
}
