//! Some names in a sentence.

/// The first three of `names`, and how many more there are.
pub(super) fn listed(names: &mut [String]) -> String {
    names.sort_unstable();
    let (first, rest) = names.split_at(names.len().min(3));
    let first = first.join(", ");
    match rest.len() {
        0 => first,
        n => format!("{first} and {n} more"),
    }
}
