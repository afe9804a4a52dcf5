//! What the fuzz targets share. A target asserts what must hold for any input; a
//! failed assertion, a panic and too much memory are all found as crashes.

pub mod limits;
pub mod object;
pub mod recordings;
pub mod scratch;

/// The first bytes of an input, as numbers; zero where there are none.
pub fn take<const N: usize>(data: &mut &[u8]) -> [u8; N] {
    let mut taken = [0; N];
    let length = N.min(data.len());
    let (first, rest) = data.split_at(length);
    taken[..length].copy_from_slice(first);
    *data = rest;
    taken
}
