//! Bounds that are not met yet.

/// Programs and why their stacks are not as they should be yet. One that
/// is as it should be is reported, so that it can be taken off the list.
pub const PENDING: &[(&str, &str)] = &[
    (
        "signal handler, own stack",
        "99.1 to 100 % on a quiet machine: copies hold only the handler's own stack, before the \
         pages of its code are known",
    ),
    (
        "gcc",
        "99.1 to 99.9 % on a quiet machine: its deep stacks are cut before the pages of their code \
         are known",
    ),
    (
        "Go, stripped",
        "without .debug_frame a leaf's caller is left out; .gopclntab would tell it",
    ),
    (
        "rustc",
        "around 99 %: its stacks are too large to be copied, before the pages of their code are known",
    ),
];

/// Why a program's bound is not met yet.
pub fn pending(name: &str) -> Option<&'static str> {
    let mut pending = PENDING.iter();
    pending.find_map(|(program, why)| (*program == name).then_some(*why))
}
