#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::io::Write as _;

use proptest::prelude::*;

use super::*;

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A dump, byte by byte after the specification.
struct Dump(Vec<u8>, bool);

impl Dump {
    fn new(big: bool) -> Self {
        let mut dump = Self(Vec::new(), big);
        for word in [MAGIC, 1, 40, 62, 0, 4242] {
            dump.u32(word);
        }
        dump.u64(1).u64(0);
        dump
    }

    fn u32(&mut self, word: u32) -> &mut Self {
        let bytes = if self.1 {
            word.to_be_bytes()
        } else {
            word.to_le_bytes()
        };
        self.0.extend(bytes);
        self
    }

    fn u64(&mut self, word: u64) -> &mut Self {
        let bytes = if self.1 {
            word.to_be_bytes()
        } else {
            word.to_le_bytes()
        };
        self.0.extend(bytes);
        self
    }

    fn load(&mut self, address: u64, length: u64, index: u64, name: &str) -> &mut Self {
        let size = 16 + 40 + name.len() + 1 + length as usize;
        self.u32(0).u32(size as u32).u64(5).u32(4242).u32(4243);
        self.u64(address).u64(address).u64(length).u64(index);
        self.0.extend(name.as_bytes());
        self.0.push(0);
        self.0.extend(vec![0x90; length as usize]);
        self
    }

    fn moved(&mut self, from: u64, to: u64, length: u64, index: u64) -> &mut Self {
        self.u32(1).u32(16 + 48).u64(6).u32(4242).u32(4243);
        self.u64(to).u64(from).u64(to).u64(length).u64(index)
    }

    fn other(&mut self, id: u32, length: u32) -> &mut Self {
        self.u32(id).u32(16 + length).u64(7);
        self.0.extend(vec![0xff; length as usize]);
        self
    }

    fn names(&self, addresses: &[u64]) -> Vec<Option<String>> {
        let mut wanted = Wanted::new(addresses.to_vec());
        assert!(look_up(&file(&self.0), &mut wanted).unwrap());
        let name = |&address| wanted.name(address).map(|name| name.to_string());
        addresses.iter().map(name).collect()
    }
}

#[test]
fn functions_are_found_where_they_were_loaded_and_moved_to() {
    for big in [false, true] {
        let mut dump = Dump::new(big);
        dump.load(0x1000, 0x100, 1, "first")
            .other(2, 40)
            .load(0x2000, 0x40, 2, "second")
            .other(4, 8)
            .moved(0x2000, 0x3000, 0x40, 2)
            .moved(0x2000, 0x5000, 0x40, 99)
            .load(0x1080, 0x10, 3, "third")
            .other(3, 0);
        let found = dump.names(&[0xfff, 0x1000, 0x1080, 0x1090, 0x203f, 0x303f, 0x5000]);
        let found: Vec<_> = found.iter().map(Option::as_deref).collect();
        let expected = [
            None,
            Some("first"),
            Some("third"),
            Some("first"),
            Some("second"),
            Some("second"),
            None,
        ];
        assert_eq!(found, expected, "{big}");
    }
}

#[test]
fn a_dump_that_is_cut_off_is_used_as_far_as_it_goes() {
    let mut dump = Dump::new(false);
    dump.load(0x1000, 0x100, 1, "first");
    let whole = dump.0.len();
    dump.load(0x2000, 0x100, 2, "second");
    for cut in 0..dump.0.len() {
        let cut = Dump(dump.0[..cut].to_vec(), false);
        let found = cut.names(&[0x1000]);
        if cut.0.len() >= whole {
            assert_eq!(found[0].as_deref(), Some("first"));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_an_end(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        begun in any::<bool>(),
    ) {
        let mut dump = if begun { Dump::new(false).0 } else { Vec::new() };
        dump.extend(bytes);
        let mut wanted = Wanted::new(vec![0, 1, 0x1000]);
        prop_assert!(look_up(&file(&dump), &mut wanted).is_ok());
    }
}
