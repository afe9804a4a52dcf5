//! Names of the functions of the running kernel and its modules. (An image on disk
//! need not be the one that runs.)

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::named::Named;
use crate::host::elevation;
use crate::kernel::KernelNames;
use crate::measurement::{FrameId, Symbol};

/// All functions, with their addresses.
const TABLE: &str = "/proc/kallsyms";

/// The names of those of `frames` (their addresses) that the kernel knows.
pub(super) fn named(frames: &[(FrameId, u64)]) -> Vec<Named> {
    let addresses: Vec<u64> = frames.iter().map(|&(_, address)| address).collect();
    let names = by_the_kernel(&addresses).or_else(|_| {
        by_its_table(
            BufReader::new(elevation::open(Path::new(TABLE), elevation::ADDRESSES)?),
            &addresses,
        )
    });
    let names = frames.iter().zip(names.unwrap_or_default());
    let named = names.filter_map(|(&(frame, _), name)| {
        let functions = vec![format!("{:#}", rustc_demangle::demangle(&name?))];
        let symbol = Symbol { frame, functions };
        Some(Named {
            symbol,
            lines: None,
        })
    });
    named.collect()
}

fn by_the_kernel(addresses: &[u64]) -> io::Result<Vec<Option<String>>> {
    let kernel = KernelNames::load()?;
    let names = addresses.iter().map(|&address| kernel.of(address));
    names.collect()
}

/// Looks for the names in `table`, which is like `/proc/kallsyms`: address, kind and
/// name in each line. The function of an address is that which begins last before
/// it; of several names for one place, the first. Only what was asked for is kept.
fn by_its_table(mut table: impl BufRead, addresses: &[u64]) -> io::Result<Vec<Option<String>>> {
    let mut wanted = addresses.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    // By the first wanted address that it can be the name of.
    let mut best: Vec<Option<(u64, String)>> = vec![None; wanted.len()];
    let mut line = Vec::new();
    while table.read_until(b'\n', &mut line)? > 0 {
        if let Some((begin, name)) = entry(&line)
            && let Some(place) = best.get_mut(wanted.partition_point(|&at| at < begin))
            && place.as_ref().is_none_or(|&(other, _)| other < begin)
        {
            *place = Some((begin, String::from_utf8_lossy(name).into_owned()));
        }
        line.clear();
    }
    for place in 1..best.len() {
        if best[place].is_none() {
            best[place] = best[place - 1].clone();
        }
    }
    let name = |address| {
        let place = wanted.binary_search(address).ok()?;
        Some(best[place].as_ref()?.1.clone())
    };
    Ok(addresses.iter().map(name).collect())
}

fn entry(line: &[u8]) -> Option<(u64, &[u8])> {
    let mut words = line.split(u8::is_ascii_whitespace);
    let address = u64::from_str_radix(str::from_utf8(words.next()?).ok()?, 16).ok()?;
    let name = words.nth(1).filter(|name| !name.is_empty())?;
    (address > 0).then_some((address, name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINES: &str = "\
        0000000000000000 A zero\n\
        00000000000000a0 T first\n\
        00000000000000a0 T alias\n\
        0000000000000200 t module_b\t[b]\n\
        nonsense\n\
        \n\
        0000000000000180 t module_a\t[a]\n\
        0000000000000180\n";

    fn found(addresses: &[u64]) -> Vec<Option<String>> {
        by_its_table(LINES.as_bytes(), addresses).unwrap()
    }

    #[test]
    fn the_function_is_the_one_that_begins_before() {
        let names = found(&[0x17f, 0x9f, 0xa0, 0x180, 0x1ff, 0xffff, 0xa0]);
        let expected = [
            Some("first"),
            None,
            Some("first"),
            Some("module_a"),
            Some("module_a"),
            Some("module_b"),
            Some("first"),
        ];
        assert_eq!(names, expected.map(|name| name.map(str::to_owned)));
        assert!(found(&[]).is_empty());
    }

    #[test]
    fn the_kernel_and_its_table_agree() {
        let Ok(text) = std::fs::read_to_string("/proc/kallsyms") else {
            return crate::skip::absent("there is no /proc/kallsyms");
        };
        // One of each hundred functions, in the middle of its first instructions.
        let code = |line: &&str| matches!(line.split(' ').nth(1), Some("t" | "T"));
        let lines = text.lines().filter(code).step_by(100);
        let entries = lines.filter_map(|line| entry(line.as_bytes()));
        let addresses: Vec<u64> = entries.map(|(begin, _)| begin + 1).collect();
        let Ok(names) = by_the_kernel(&addresses) else {
            return crate::skip::skip(
                "the kernel names functions for CAP_BPF and CAP_PERFMON only",
            );
        };
        if addresses.is_empty() {
            return crate::skip::absent("kernel.kptr_restrict hides the kernel's addresses");
        }
        let others = by_its_table(text.as_bytes(), &addresses).unwrap();
        for ((address, name), other) in addresses.iter().zip(&names).zip(&others) {
            assert_eq!(name, other, "{address:#x}");
        }
        assert_eq!(by_the_kernel(&[8]).unwrap(), [None]);
    }

    proptest! {
        #[test]
        fn a_table_agrees_with_a_plain_search(
            mut table in prop::collection::vec((1u64..60, "[a-z]{1,3}"), 0..40),
            addresses in prop::collection::vec(0u64..70, 0..20),
            noise: Vec<u8>,
        ) {
            let text: String = table
                .iter()
                .map(|(begin, name)| format!("{begin:016x} t {name}\n"))
                .collect();
            let names = by_its_table(text.as_bytes(), &addresses).unwrap();
            table.sort_by_key(|&(begin, _)| begin);
            for (address, name) in addresses.iter().zip(names) {
                let last = table.iter().map(|of| of.0).filter(|begin| begin <= address).max();
                let first = table.iter().find(|of| Some(of.0) == last);
                prop_assert_eq!(name.as_deref(), first.map(|of| of.1.as_str()));
            }
            by_its_table(noise.as_slice(), &addresses).unwrap();
        }
    }
}
