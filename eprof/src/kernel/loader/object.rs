//! The object that holds the kernel programs: embedded at build time, checked
//! before it is loaded.

use object::{Object as _, ObjectSection as _};

use crate::error::{Error, ErrorKind, Result};

/// The object embedded in this binary (see `build.rs`).
pub(in crate::kernel) fn embedded() -> &'static [u8] {
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/embedded.bpf.o"))
}

/// Where the embedded object comes from, and which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// `prebuilt` (the committed object), `built` (feature `build-ebpf`) or
    /// `file` (`EPROF_BPF_OBJECT` at build time).
    pub origin: &'static str,
    /// SHA-256 of the object in hexadecimal digits.
    pub sha256: &'static str,
    /// The version of the contract between both halves.
    pub abi: u32,
}

impl std::fmt::Display for Provenance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = self.sha256.get(..12).unwrap_or(self.sha256);
        write!(f, "{} {short} (ABI {})", self.origin, self.abi)
    }
}

/// The provenance of the embedded object.
pub fn provenance() -> Provenance {
    Provenance {
        origin: env!("EPROF_OBJECT_ORIGIN"),
        sha256: env!("EPROF_OBJECT_SHA256"),
        abi: eprof_common::ABI_VERSION,
    }
}

/// Refuses an object that is no ELF file or has another ABI than this binary.
pub(in crate::kernel) fn check(bytes: &[u8]) -> Result<()> {
    let refused = |why: String| {
        Error::new(ErrorKind::Data, format!("the kernel object {why}"))
            .hint("rebuild it with eprof-ebpf/build.sh")
    };
    let file = object::File::parse(bytes)
        .map_err(|error| refused(format!("is not an ELF file: {error}")))?;
    let version = file
        .section_by_name(eprof_common::ABI_SECTION)
        .and_then(|section| section.data().ok())
        .and_then(|data| <[u8; 4]>::try_from(data).ok())
        .map(u32::from_le_bytes);
    match version {
        Some(eprof_common::ABI_VERSION) => Ok(()),
        Some(other) => Err(refused(format!(
            "has ABI version {other}, this eprof needs {}",
            eprof_common::ABI_VERSION
        ))),
        None => Err(refused("has no ABI version".to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_object_has_our_abi() {
        check(embedded()).unwrap();
    }

    #[test]
    fn another_abi_is_refused() {
        let mut bytes = embedded().to_vec();
        let file = object::File::parse(embedded()).unwrap();
        let section = file.section_by_name(eprof_common::ABI_SECTION).unwrap();
        let offset = usize::try_from(section.file_range().unwrap().0).unwrap();
        bytes[offset] ^= 0x40;
        let error = check(&bytes).unwrap_err();
        let other = eprof_common::ABI_VERSION ^ 0x40;
        assert!(
            error.to_string().contains(&format!("ABI version {other},")),
            "{error}"
        );
    }

    #[test]
    fn rubbish_is_refused() {
        assert!(check(b"\x7fELF and then nothing").is_err());
        assert!(check(b"").is_err());
    }

    #[test]
    fn the_provenance_is_short() {
        let text = provenance().to_string();
        assert_eq!(text.split(' ').nth(1).unwrap().len(), 12, "{text}");
    }
}
