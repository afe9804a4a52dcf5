//! What a file of code says by itself, read here without eprof's own reader:
//! names, where it begins, where stacks end, and what precedes an address.

use std::collections::BTreeMap;
use std::path::Path;

use gimli::{BaseAddresses, EhFrame, EhFrameHdr, LittleEndian, RegisterRule, UnwindSection};
use object::{Architecture, Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind};

/// How far behind its entry the code of `_start` reaches at most, in bytes:
/// glibc's is 38 long on x86-64, that of its dynamic linker 66 (to the end of
/// `_dl_start_user`), musl's 22.
const START: u64 = 80;

/// A section: its address and content.
type Section = (u64, &'static [u8]);

/// What a file says of a frame.
struct Rows {
    /// Where its function begins.
    begin: u64,
    /// Only if that is written down: nothing said is not undefined.
    return_is_undefined: bool,
}

/// A file of code.
pub struct Image {
    data: &'static [u8],
    architecture: Architecture,
    entry: u64,
    /// Offset in the file, address, length.
    segments: Vec<(u64, u64, u64)>,
    /// Functions by address: end and name.
    functions: BTreeMap<u64, (u64, String)>,
    /// `.eh_frame`, with its address, and its index where there is one.
    unwind: Option<(Section, Option<Section>)>,
}

impl Image {
    /// Reads a file; `None` where there is none, or not of a kind that is known.
    pub fn open(path: &Path) -> Option<Self> {
        // For the rest of the program: there are a few dozen of them.
        let data: &'static [u8] = std::fs::read(path).ok()?.leak();
        let file = object::File::parse(data).ok()?;
        let segments = file.segments().map(|segment| {
            let (offset, length) = segment.file_range();
            (offset, segment.address(), length)
        });
        let mut functions = BTreeMap::new();
        for symbol in file.dynamic_symbols().chain(file.symbols()) {
            if symbol.kind() == SymbolKind::Text && symbol.is_definition() {
                let Ok(name) = symbol.name() else { continue };
                // Assembly often tells no size: then to the next function.
                let size = Some(symbol.size()).filter(|size| *size > 0);
                let end = size.map_or(u64::MAX, |size| symbol.address().saturating_add(size));
                functions.insert(symbol.address(), (end, name.to_owned()));
            }
        }
        let section = |name| {
            let section = file.section_by_name(name)?;
            let data: &'static [u8] = section.data().ok()?;
            Some((section.address(), data))
        };
        let unwind = section(".eh_frame").map(|all| (all, section(".eh_frame_hdr")));
        Some(Self {
            data,
            architecture: file.architecture(),
            entry: file.entry(),
            segments: segments.collect(),
            functions,
            unwind,
        })
    }

    /// The address of a byte of the file.
    pub fn address(&self, offset: u64) -> Option<u64> {
        let mut segments = self.segments.iter();
        segments.find_map(|&(start, address, length)| {
            let distance = offset.checked_sub(start)?;
            // One past the end: a call may be a segment's last instruction.
            (distance <= length).then(|| address + distance)
        })
    }

    /// The lowest address.
    pub fn lowest(&self) -> u64 {
        let addresses = self.segments.iter().map(|segment| segment.1);
        addresses.min().unwrap_or_default()
    }

    /// The function at an address.
    pub fn name(&self, address: u64) -> Option<&str> {
        let (_, (end, name)) = self.functions.range(..=address).next_back()?;
        (address < *end).then_some(name.as_str())
    }

    /// Whether code at `address` has no caller by what the file says of it:
    /// its return address is declared undefined (DWARF 5, section 6.4.4: "there
    /// is no return address … the virtual unwind of the stack is complete"), or
    /// it is what the kernel jumps to, and nothing is said of it.
    pub fn is_root(&self, address: u64) -> bool {
        let Some(rows) = self.rows(address) else {
            let begins = (self.entry..self.entry + START).contains(&address);
            return begins || self.exits(address.wrapping_add(1));
        };
        rows.return_is_undefined
    }

    /// Whether a return address was put there by hand: it is the beginning of
    /// a function, and no call precedes it. So `makecontext` begins a stack.
    pub fn is_made(&self, address: u64) -> bool {
        let begins = self.rows(address).is_some_and(|rows| rows.begin == address);
        begins && !self.follows_a_call(address)
    }

    /// Whether the code at a return address does nothing but `exit` with what
    /// was returned, as that which calls `main` in musl, which has no name
    /// where the library is stripped: mov %eax, %edi; call exit.
    fn exits(&self, address: u64) -> bool {
        let code = self
            .position(address)
            .and_then(|at| self.data.get(at..at + 7));
        let Some([0x89, 0xc7, 0xe8, distance @ ..]) = code else {
            return false;
        };
        let Ok(distance) = <[u8; 4]>::try_from(distance) else {
            return false;
        };
        let distance = i64::from(i32::from_le_bytes(distance));
        let target = address.wrapping_add(7).wrapping_add_signed(distance);
        self.name(target) == Some("exit")
    }

    /// What the file says of the frame of the code at `address`.
    fn rows(&self, address: u64) -> Option<Rows> {
        let ((entries_at, entries), index) = self.unwind?;
        let mut bases = BaseAddresses::default().set_eh_frame(entries_at);
        let entries = EhFrame::new(entries, LittleEndian);
        let entry = match index {
            Some((index_at, index)) => {
                bases = bases.set_eh_frame_hdr(index_at);
                let index = EhFrameHdr::new(index, LittleEndian);
                let index = index.parse(&bases, 8).ok()?;
                let table = index.table()?;
                table.fde_for_address(&entries, &bases, address, EhFrame::cie_from_offset)
            }
            // Static programs often have none.
            None => entries.fde_for_address(&bases, address, EhFrame::cie_from_offset),
        };
        let entry = entry.ok()?;
        let mut context = gimli::UnwindContext::new();
        let row = entry
            .unwind_info_for_address(&entries, &bases, &mut context, address)
            .ok()?;
        let register = entry.cie().return_address_register();
        Some(Rows {
            begin: entry.initial_address(),
            return_is_undefined: matches!(row.register(register), Some(RegisterRule::Undefined)),
        })
    }

    /// Whether a call precedes `address`, or it is where a signal handler
    /// returns to.
    pub fn follows_a_call(&self, address: u64) -> bool {
        let at = |from: u64, length: usize| {
            let from = self.position(from)?;
            self.data.get(from..from.checked_add(length)?)
        };
        match self.architecture {
            Architecture::X86_64 => {
                // The same bytes by which unwinders without CFI know it:
                // mov $15, %rax; syscall.
                const RETURNS: [u8; 9] = [0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05];
                if at(address, 9).is_some_and(|code| code == RETURNS) {
                    return true;
                }
                (2..=7).any(|length: u64| {
                    let code = at(address.wrapping_sub(length), length as usize);
                    code.is_some_and(is_x86_call)
                })
            }
            Architecture::Aarch64 => {
                // mov x8, #139; svc #0.
                const RETURNS: [u8; 8] = [0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4];
                if at(address, 8).is_some_and(|code| code == RETURNS) {
                    return true;
                }
                let code = at(address.wrapping_sub(4), 4).and_then(|code| code.try_into().ok());
                let code = u32::from_le_bytes(code.unwrap_or_default());
                // BL, BLR, BLRAA and the like.
                code & 0xfc00_0000 == 0x9400_0000 || code & 0xfeff_f000 == 0xd63f_0000
            }
            _ => true,
        }
    }

    /// Where an address is in the file.
    fn position(&self, address: u64) -> Option<usize> {
        let mut segments = self.segments.iter();
        segments.find_map(|&(offset, start, length)| {
            let distance = address.checked_sub(start)?;
            (distance < length).then(|| (offset + distance) as usize)
        })
    }
}

/// Whether these bytes, all of them, are a near call: E8 with a displacement,
/// or FF /2 with any operand (Intel SDM 2, CALL), a prefix apart.
fn is_x86_call(code: &[u8]) -> bool {
    match *code {
        [0xe8, ..] => code.len() == 5,
        [0xff, operand, ref rest @ ..] if operand & 0x38 == 0x10 => {
            let (mode, register) = (operand >> 6, operand & 7);
            let scaled = usize::from(mode != 3 && register == 4);
            let wide = mode == 0
                && (register == 5 || scaled == 1 && rest.first().is_some_and(|s| s & 7 == 5));
            let displacement = match mode {
                _ if wide => 4,
                1 => 1,
                2 => 4,
                _ => 0,
            };
            rest.len() == scaled + displacement
        }
        _ => false,
    }
}
