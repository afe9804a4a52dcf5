//! The kernel's notation for sets of CPUs: `0-3,8,10-11`.

/// No Linux has more CPUs than this (x86 `CONFIG_NR_CPUS` ends at 8192;
/// the margin costs nothing). A list that names a larger one is garbage.
pub const LARGEST_CPU: u32 = 65_535;

/// Parses a list such as `0-3,8`, ascending and without repetition; `None`
/// for anything else. An empty text is the empty set.
///
/// See `Documentation/admin-guide/cputopology.rst` and
/// `bitmap_parselist(9)`; the `:used/group` extension never occurs in files
/// that the kernel writes.
pub fn parse(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: u32 = first.trim().parse().ok()?;
        let last: u32 = last.trim().parse().ok()?;
        if first > last || last > LARGEST_CPU {
            return None;
        }
        cpus.extend(first..=last);
        if cpus.len() > LARGEST_CPU as usize + 1 {
            return None;
        }
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

/// Writes a set of CPUs in the same notation.
pub fn render(cpus: &[u32]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = cpus;
    while let Some((&first, _)) = rest.split_first() {
        let run = rest
            .iter()
            .enumerate()
            .take_while(|&(i, &cpu)| u64::from(cpu) == u64::from(first) + i as u64)
            .count();
        let (head, tail) = rest.split_at(run);
        parts.push(match head.last() {
            Some(&last) if last != first => format!("{first}-{last}"),
            _ => first.to_string(),
        });
        rest = tail;
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(parse("0-3,8,10-11\n"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(parse(""), Some(vec![]));
        assert_eq!(parse("5"), Some(vec![5]));
    }

    #[test]
    fn garbage_is_not_a_list() {
        for text in ["x", "3-1", "0-4294967295", "-1", "1--2", "99999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(mut cpus in prop::collection::vec(0u32..300, 0..40)) {
            cpus.sort_unstable();
            cpus.dedup();
            prop_assert_eq!(parse(&render(&cpus)).unwrap(), cpus);
        }

        #[test]
        fn any_text_is_survived(text in ".{0,60}") {
            let _ = parse(&text);
        }
    }
}
