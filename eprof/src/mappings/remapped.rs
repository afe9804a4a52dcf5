//! Code of a file that a process has moved to memory of its own, at the same addresses:
//! so that it lies in huge pages (`node --use-largepages=on`, BOLT's `--hugify`, and
//! others). It is still that file's code if it has the same bytes.

use std::fs::File;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt as _;

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

/// Bytes that are compared in one place.
const PIECE: usize = 64;

/// In so many places are bytes compared.
const PLACES: u64 = 64;

/// In so many of them they must be other than zero: which unused memory is, and the end
/// of a segment.
const TELLING: usize = 4;

/// Whether the memory of process `pid` from `start` to `end` has what is at `offset` of
/// `file`.
pub(super) fn is_same(pid: u32, start: u64, end: u64, file: &File, offset: u64) -> bool {
    let length = end.saturating_sub(start);
    let step = (length / PLACES).max(PIECE as u64);
    let mut telling = 0;
    for place in (0..length.saturating_sub(PIECE as u64 - 1)).step_by(step as usize) {
        let mut expected = [0; PIECE];
        // A segment need not fill its last page.
        if file.read_exact_at(&mut expected, offset + place).is_err() {
            break;
        }
        let mut found = [0; PIECE];
        if read(pid, start + place, &mut found).is_none() || found != expected {
            return false;
        }
        telling += usize::from(expected != [0; PIECE]);
    }
    telling >= TELLING.min((length / step) as usize).max(1)
}

/// Reads memory of a process.
fn read(pid: u32, address: u64, to: &mut [u8]) -> Option<()> {
    let pid = i32::try_from(pid).ok().filter(|&pid| pid > 0)?;
    let length = to.len();
    let remote = RemoteIoVec {
        base: usize::try_from(address).ok()?,
        len: length,
    };
    let mut local = [IoSliceMut::new(to)];
    let read = process_vm_readv(Pid::from_raw(pid), &mut local, &[remote]);
    (read == Ok(length)).then_some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn memory_is_a_files_if_it_has_the_same_bytes_everywhere() {
        let bytes: Vec<u8> = (0..32_768_u32).map(|n| (n * n / 7) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[9; 100]).unwrap();
        file.write_all(&bytes).unwrap();
        let pid = std::process::id();
        let same = |memory: &[u8], offset| {
            let start = memory.as_ptr() as u64;
            is_same(pid, start, start + memory.len() as u64, &file, offset)
        };
        assert!(same(&bytes, 100));
        assert!(!same(&bytes, 101));
        assert!(!same(&vec![0; 32_768], 100));
        let mut other = bytes.clone();
        other[16_384..].fill(0xcc);
        assert!(!same(&other, 100));
        // Nothing is known of memory that has nothing in it.
        let mut nothing = tempfile::tempfile().unwrap();
        nothing.write_all(&[0; 32_768]).unwrap();
        let zeros = vec![0; 32_768];
        let start = zeros.as_ptr() as u64;
        assert!(!is_same(pid, start, start + 32_768, &nothing, 0));
    }
}
