//! How user stacks are walked, as well as the kernel allows.

use eprof_common::sample::MAX_PIECES;

use crate::caveat::Caveat;
use crate::error::{ErrorKind, Result};
use crate::kernel::Settings;
use crate::kernel::loader::link::Linked;
use crate::kernel::refusal::in_one_line;
use crate::kernel::settings::Unwinding;

/// How many pieces of a stack (of 1 KiB) are copied at most, where it is walked
/// by tables.
pub(in crate::kernel) const PIECES: u32 = 63;

/// The same where it is not, of each sample.
const WITHOUT: u32 = PIECES / 2;

const _: () = assert!(PIECES as usize <= MAX_PIECES);

impl Unwinding {
    /// The program that takes samples.
    pub(in crate::kernel) const fn program(self) -> &'static str {
        match self {
            Self::Tables => "sample_tables",
            Self::Copies => "sample_copies",
            Self::Pointers => "sample_pointers",
        }
    }

    const fn simpler(self) -> Option<Self> {
        match self {
            Self::Tables => Some(Self::Copies),
            Self::Copies => Some(Self::Pointers),
            Self::Pointers => None,
        }
    }

    fn caveat(self, why: &str) -> Option<Caveat> {
        match self {
            Self::Tables => None,
            Self::Copies => Some(Caveat::new(
                "stack-copies",
                format!(
                    "stacks are copied and walked afterwards, because {why}; what lies deeper \
                     than {WITHOUT} KiB is missing"
                ),
            )),
            Self::Pointers => Some(Caveat::new(
                "frame-pointers-only",
                format!(
                    "stacks are walked by frame pointers only, because {why}; callers in \
                     programs without frame pointers are missing or wrong"
                ),
            )),
        }
    }
}

/// Loads the best sampling program that the kernel accepts, at best that which
/// `settings` want; `why` tells why that is not better, if so. Where nothing is
/// sampled, none is loaded.
///
/// # Errors
/// Where it accepts none.
pub(in crate::kernel) fn load(
    linked: &mut Linked,
    settings: &Settings,
    why: Option<&str>,
) -> Result<(Unwinding, Option<Caveat>)> {
    let wanted = settings.unwinding;
    if settings.frequency_hz == 0 {
        return Ok((wanted, None));
    }
    let asked = match wanted {
        Unwinding::Tables => None,
        Unwinding::Copies | Unwinding::Pointers => Some("it was asked to"),
    };
    let mut why = why.or(asked).map(str::to_owned);
    let mut way = wanted;
    loop {
        match (linked.load(way.program(), 0), way.simpler()) {
            (Ok(()), _) => return Ok((way, why.and_then(|why| way.caveat(&why)))),
            (Err(error), simpler) => {
                // Where the object lacks the program, it is not what it should be.
                let simpler = simpler.filter(|_| error.kind() != ErrorKind::Data);
                let Some(simpler) = simpler else {
                    return Err(error);
                };
                why.get_or_insert(in_one_line(&error));
                way = simpler;
            }
        }
    }
}

/// The bits of a return address that are part of the address. On AArch64 a
/// return address may be signed in the bits that addresses do not have
/// (Documentation/arch/arm64/pointer-authentication.rst); how many these are
/// shows in the addresses of this process, for its stack lies at the top.
pub(in crate::kernel) fn code_mask() -> u64 {
    if !cfg!(target_arch = "aarch64") {
        return u64::MAX;
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let highest = maps
        .lines()
        .filter_map(|line| {
            let (_, end) = line.split(' ').next()?.split_once('-')?;
            u64::from_str_radix(end, 16).ok()
        })
        .max();
    mask_of(highest.map_or(0, |end| end.saturating_sub(1)))
}

/// The bits up to the highest one that is set; of addresses that are too low
/// to tell, all but the sign.
fn mask_of(highest: u64) -> u64 {
    const FEWEST: u32 = 36;
    let bits = u64::BITS - highest.leading_zeros();
    if bits < FEWEST {
        return u64::MAX >> 1;
    }
    u64::MAX >> (u64::BITS - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_has_as_many_bits_as_addresses() {
        assert_eq!(mask_of(0xffff_d234_5fff), (1 << 48) - 1);
        assert_eq!(mask_of(0x7f_d234_5fff), (1 << 39) - 1);
        assert_eq!(mask_of(0), u64::MAX >> 1);
    }
}
