//! What the fuzz targets call (`fuzz/`, compiled with `--cfg fuzzing`): the readers
//! that are nobody else's business.

use std::fs::File;
use std::io;

use super::ranges::Wanted;
use super::{jitdump, perf_map};
use crate::unwind::pclntab::GoNames;

/// The names of addresses, in their order.
pub type Names = Vec<Option<String>>;

/// What a perf map says of `addresses`, and whether it was read to its end.
///
/// # Errors
///
/// None: it is in memory.
pub fn perf_map(map: &[u8], addresses: &[u64]) -> io::Result<(Names, bool)> {
    let mut wanted = Wanted::new(addresses.to_vec());
    let whole = perf_map::look_up(map, &mut wanted)?;
    Ok((names(&wanted, addresses), whole))
}

/// What a jitdump says of `addresses`, and whether it was read to its end.
///
/// # Errors
///
/// What `dump` said.
pub fn jitdump(dump: &File, addresses: &[u64]) -> io::Result<(Names, bool)> {
    let mut wanted = Wanted::new(addresses.to_vec());
    let whole = jitdump::look_up(dump, &mut wanted)?;
    Ok((names(&wanted, addresses), whole))
}

/// What Go's table in an ELF file says of `addresses`; `None` where there is none.
pub fn go(file: Vec<u8>, addresses: &[u64]) -> Option<Names> {
    let mut names = GoNames::open(Box::new(file))?;
    let each = addresses.iter();
    Some(each.map(|&address| names.name(address)).collect())
}

fn names(wanted: &Wanted, addresses: &[u64]) -> Names {
    let name = |&address| wanted.name(address).map(|name| name.to_string());
    addresses.iter().map(name).collect()
}
