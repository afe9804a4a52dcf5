//! Bounds that are not met yet.

/// Programs and why their stacks are not as they should be yet. One that
/// is as it should be is reported, so that it can be taken off the list.
pub const PENDING: &[(&str, &str)] = &[
    (
        "signal handler, own stack",
        "now and then: until a page of code is known the stack is copied, and that is the handler's only",
    ),
    (
        "Go, stripped",
        "without .debug_frame a leaf's caller is left out; .gopclntab would tell it",
    ),
    (
        "gcc",
        "some stacks are deeper than a copy before the pages of their code are known",
    ),
    (
        "rustc",
        "its stacks are too large to be copied, before the pages of their code are known",
    ),
];

/// Why a program's bound is not met yet.
pub fn pending(name: &str) -> Option<&'static str> {
    let mut pending = PENDING.iter();
    pending.find_map(|(program, why)| (*program == name).then_some(*why))
}
