//! Perf maps: `START SIZE name` in hexadecimal, one line per function, as
//! run-time compilers write them to `/tmp/perf-PID.map` (Linux,
//! tools/perf/Documentation/jit-interface.txt).

use std::io::{self, BufRead, BufReader, Read};

use super::ranges::{MAX_NAME, Wanted, name};

/// How much of a file is read at most, in bytes.
const MOST_BYTES: u64 = 1 << 30;

/// The longest line that is looked at as a whole: two numbers and a name.
const MOST_LINE: u64 = 64 + MAX_NAME as u64;

/// Looks up what is `wanted` in `map`. Lines that are none are passed over.
/// `false`: the file is too long, or too often over the same addresses, and
/// was not read to its end.
///
/// # Errors
///
/// What `map` said.
pub(super) fn look_up(map: impl Read, wanted: &mut Wanted) -> io::Result<bool> {
    let mut map = BufReader::with_capacity(1 << 16, map).take(MOST_BYTES);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut map).take(MOST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(map.limit() > 0);
        }
        if line.last() != Some(&b'\n') {
            // The name goes on; what was read of it is enough.
            skip_line(&mut map)?;
        }
        if let Some((start, size, rest)) = entry(&line)
            && !wanted.cover(start, size, || name(rest))
        {
            return Ok(false);
        }
    }
}

fn skip_line(map: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = map.fill_buf()?;
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(bytes.len(), |end| end + 1);
        map.consume(used);
        if end.is_some() || used == 0 {
            return Ok(());
        }
    }
}

/// Start, size and name of an entry.
fn entry(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let start = hex(words.next()?)?;
    let size = hex(words.next()?)?;
    Some((start, size, words.next()?))
}

fn hex(word: &[u8]) -> Option<u64> {
    let word = std::str::from_utf8(word).ok()?;
    let word = word.strip_prefix("0x").unwrap_or(word);
    // `from_str_radix` takes a sign too.
    let digit = word.bytes().next()?.is_ascii_hexdigit();
    u64::from_str_radix(word, 16).ok().filter(|_| digit)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(map: &[u8], addresses: &[u64]) -> (Vec<Option<String>>, usize) {
        let mut wanted = Wanted::new(addresses.to_vec());
        assert!(look_up(map, &mut wanted).unwrap());
        let found = addresses.iter();
        let found = found.map(|&address| wanted.name(address).map(|name| name.to_string()));
        (found.collect(), wanted.reused())
    }

    #[test]
    fn the_last_entry_over_an_address_names_it() {
        let map = b"1000 100 first function\n0x1080 0x100 second\n1040 8 third\n";
        let addresses = [0xfff, 0x1000, 0x1040, 0x1048, 0x1080, 0x117f, 0x1180];
        let (found, reused) = names(map, &addresses);
        let found: Vec<_> = found.iter().map(Option::as_deref).collect();
        assert_eq!(
            found,
            [
                None,
                Some("first function"),
                Some("third"),
                Some("first function"),
                Some("second"),
                Some("second"),
                None
            ]
        );
        // 1040 and 1080 were in the first function once.
        assert_eq!(reused, 2);
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        let long = format!("2000 10 {}\n", "x".repeat(1 << 20));
        let map = format!(
            "\n\nnonsense\n1000\n1000 \n1000 10\n1000 10 \n+1000 10 signed\n-1 10 negative\n\
             ffffffffffffffff1 10 large\nfffffffffffffff0 ffffffff end\n{long}3000 1 last"
        );
        let (found, reused) = names(map.as_bytes(), &[0x1000, 0x2000, 0x3000, u64::MAX - 1]);
        assert_eq!(found[0], None);
        assert_eq!(found[1].as_ref().unwrap().len(), MAX_NAME);
        assert_eq!(found[2].as_deref(), Some("last"));
        assert_eq!(found[3].as_deref(), Some("end"));
        assert_eq!(reused, 0);
    }

    #[test]
    fn a_map_that_names_everything_again_and_again_ends() {
        let mut wanted = Wanted::new((0..10_000).collect());
        let line = b"0 ffffffff everything\n";
        let map = line.iter().copied().cycle().take(line.len() << 20);
        let map: Vec<u8> = map.collect();
        assert!(!look_up(map.as_slice(), &mut wanted).unwrap());
        assert_eq!(wanted.name(77).unwrap().as_ref(), "everything");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut wanted = Wanted::new(vec![0, 1, 0x1000]);
            prop_assert!(look_up(bytes.as_slice(), &mut wanted).unwrap());
        }

        /// The independent truth is one cell per address, painted over.
        #[test]
        fn any_entries_are_found_as_if_painted(
            entries in prop::collection::vec((0_u64..64, 0_u64..32, 0_u8..5), 0..24),
        ) {
            let mut painted = vec![None; 128];
            let mut map = String::new();
            for &(start, size, which) in &entries {
                map.push_str(&format!("{start:x} {size:x} f{which}\n"));
                painted[start as usize..(start + size) as usize].fill(Some(format!("f{which}")));
            }
            let addresses: Vec<u64> = (0..128).collect();
            prop_assert_eq!(names(map.as_bytes(), &addresses).0, painted);
        }
    }
}
