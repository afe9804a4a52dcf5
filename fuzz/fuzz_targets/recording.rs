//! A recording: opened, read, written again, dumped, loaded, analysed and shown.
//!
//! The first byte tells what follows: a file as it is (`f`), or what a file with
//! right checksums is made of: of one recording (`b`, see `forge`) or of several
//! (`m`, see `forge_merged`). Without these, hardly an input would get past the CRC.

#![no_main]

use eprof_fuzz::{limits, recordings};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    let file = match data {
        [b'f', file @ ..] => file.to_vec(),
        [b'b', blocks @ ..] => recordings::forge(blocks),
        [b'm', members @ ..] => recordings::forge_merged(members),
        _ => return Corpus::Reject,
    };
    limits::bounded(|| recordings::check(&file));
    Corpus::Keep
});
