//! One step of a walk up the stack, the same in the kernel and in user space.
//!
//! A rule is what DWARF call frame information (DWARF 5, 6.4) says of one piece of code
//! about the stack pointer, the frame pointer and the return address. On x86-64 these
//! are `rsp`, `rbp` and the word below the CFA (System V psABI, 3.7). On AArch64 they
//! are `sp`, `x29` and `x30` (DWARF for the Arm 64-bit Architecture, 4.1).

/// Registers in the course of a walk.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// The next instruction: of the leaf, or after a call.
    pub pc: u64,
    /// The stack pointer.
    pub sp: u64,
    /// The frame pointer.
    pub fp: u64,
    /// The link register; on x86-64 `rdi`, of the leaf only.
    pub lr: u64,
    /// Flags: [`Registers::EXACT`], [`Registers::GUESSED`].
    pub flags: u64,
}

impl Registers {
    /// `pc` was interrupted there: it is no return address.
    pub const EXACT: u64 = 1;
    /// The last step followed a frame pointer that nothing vouches for.
    pub const GUESSED: u64 = 2;

    /// Whether `pc` is no return address.
    #[inline(always)]
    pub const fn is_exact(&self) -> bool {
        self.flags & Self::EXACT != 0
    }

    /// An address that belongs to the instruction that is being executed: a
    /// call may be the last instruction of a function.
    #[inline(always)]
    pub const fn place(&self) -> u64 {
        self.pc.wrapping_sub(!self.is_exact() as u64)
    }
}

/// How to find the caller from a piece of code. Offsets are in bytes.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rule {
    /// What the CFA is made from, one of the constants `CFA_…` and others.
    pub cfa: u8,
    /// Where the caller's frame pointer is, one of `FP_…`.
    pub fp: u8,
    /// Where the return address is, one of `RA_…`.
    pub ra: u8,
    /// Always zero.
    pub zero: u8,
    /// Offset for the CFA.
    pub cfa_offset: i32,
    /// Offset for the frame pointer.
    pub fp_offset: i32,
    /// Offset for the return address.
    pub ra_offset: i32,
    /// Added to what was loaded; of a signal's frame, where the link register
    /// is.
    pub add: i32,
    /// Always zero.
    pub rest: u32,
}

impl Rule {
    /// There is no unwind information: follow the frame pointer. With an
    /// `add` other than zero, this is code of a C library that begins and ends
    /// programs: a frame pointer of zero is that of the outermost frame.
    pub const NONE: u8 = 0;
    /// CFA = sp + offset.
    pub const CFA_SP: u8 = 1;
    /// CFA = fp + offset.
    pub const CFA_FP: u8 = 2;
    /// CFA = the word at sp + offset, + add.
    pub const CFA_AT_SP: u8 = 3;
    /// CFA = the word at fp + offset, + add.
    pub const CFA_AT_FP: u8 = 4;
    /// CFA = sp + offset, + 8 if the low four bits of the address are `add` or
    /// more: an entry of the procedure linkage table, which pushes a word.
    pub const CFA_PLT: u8 = 5;
    /// The frame of a signal: all offsets are from sp; `cfa_offset` is where
    /// the interrupted code's stack pointer is.
    pub const SIGNAL: u8 = 6;
    /// What the unwind information says is not in this list.
    pub const UNSUPPORTED: u8 = 7;

    /// The frame pointer is the caller's.
    pub const FP_SAME: u8 = 0;
    /// It is at CFA + offset.
    pub const FP_AT_CFA: u8 = 1;
    /// It is at fp + offset.
    pub const FP_AT_FP: u8 = 2;
    /// It is CFA + offset.
    pub const FP_IS_CFA: u8 = 3;
    /// It is lost.
    pub const FP_LOST: u8 = 4;

    /// The return address is at CFA + offset.
    pub const RA_AT_CFA: u8 = 0;
    /// It is in the link register.
    pub const RA_LINK: u8 = 1;
    /// There is no caller.
    pub const RA_ROOT: u8 = 2;

    /// A rule of this kind, and nothing else.
    pub const fn of(cfa: u8) -> Self {
        Self {
            cfa,
            fp: Self::FP_SAME,
            ra: Self::RA_AT_CFA,
            zero: 0,
            cfa_offset: 0,
            fp_offset: 0,
            ra_offset: 0,
            add: 0,
            rest: 0,
        }
    }
}

const _: () = assert!(size_of::<Rule>() == 24 && size_of::<Registers>() == 40);

/// How a walk ended, or that it goes on. Part of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WalkEnd(pub u32);

impl WalkEnd {
    /// It has not ended.
    pub const ON: Self = Self(0);
    /// The root was reached.
    pub const ROOT: Self = Self(1);
    /// There is no user code: a thread of the kernel's, or one that exits.
    pub const ABSENT: Self = Self(2);
    /// There is no room for more frames.
    pub const DEEP: Self = Self(3);
    /// Code without unwind information, and no sound frame pointer.
    pub const NO_TABLE: Self = Self(4);
    /// Stack memory could not be read.
    pub const FAULT: Self = Self(5);
    /// Unwind information of a kind that is not followed.
    pub const UNSUPPORTED: Self = Self(6);
    /// The next frame does not lie above this one.
    pub const STUCK: Self = Self(7);
    /// A return address where no code is known to be.
    pub const LEFT_CODE: Self = Self(8);
    /// Code whose table is not known yet.
    pub const PENDING: Self = Self(9);
    /// The copy of the stack ends below the frame that is needed.
    pub const COPY_ENDS: Self = Self(10);
    /// The kernel's own walk along frame pointers, which proves nothing.
    pub const BY_POINTERS: Self = Self(11);
}

/// How far above the stack pointer a frame pointer is believed, in bytes.
const FRAME_REACH: u64 = 1 << 20;

/// Walks from `at` to its caller by `rule`. `read` gives the word at an
/// address of the stack; `mask` has the bits that an address of code can have
/// (pointer authentication uses others).
#[inline(always)]
pub fn step(
    at: &mut Registers,
    rule: &Rule,
    mask: u64,
    read: impl Fn(u64) -> Result<u64, WalkEnd>,
) -> WalkEnd {
    match walk(at, rule, mask, read) {
        Ok(()) => WalkEnd::ON,
        Err(end) => end,
    }
}

#[inline(always)]
fn offset(base: u64, offset: i32) -> u64 {
    base.wrapping_add(offset as i64 as u64)
}

#[inline(always)]
fn walk(
    at: &mut Registers,
    rule: &Rule,
    mask: u64,
    read: impl Fn(u64) -> Result<u64, WalkEnd>,
) -> Result<(), WalkEnd> {
    if rule.ra == Rule::RA_ROOT {
        return Err(WalkEnd::ROOT);
    }
    let cfa = match rule.cfa {
        Rule::CFA_SP => offset(at.sp, rule.cfa_offset),
        Rule::CFA_FP => offset(at.fp, rule.cfa_offset),
        Rule::CFA_AT_SP => offset(read(offset(at.sp, rule.cfa_offset))?, rule.add),
        Rule::CFA_AT_FP => offset(read(offset(at.fp, rule.cfa_offset))?, rule.add),
        Rule::CFA_PLT => {
            let pushed = (at.pc & 15) >= rule.add as u64;
            offset(at.sp, rule.cfa_offset).wrapping_add((pushed as u64) << 3)
        }
        Rule::SIGNAL => return signal(at, rule, mask, read),
        Rule::NONE => return frame_pointer(at, rule.add != 0, mask, read),
        _ => return Err(WalkEnd::UNSUPPORTED),
    };
    // A function that has no frame, of which there can be but one, may have
    // its caller's stack pointer.
    let lowest = if rule.ra == Rule::RA_LINK && at.is_exact() {
        at.sp
    } else {
        at.sp.wrapping_add(1)
    };
    if cfa < lowest {
        return Err(WalkEnd::STUCK);
    }
    let pc = if rule.ra == Rule::RA_LINK {
        if !at.is_exact() {
            return Err(WalkEnd::STUCK);
        }
        at.lr
    } else {
        read(offset(cfa, rule.ra_offset))?
    };
    match rule.fp {
        Rule::FP_AT_CFA => at.fp = read(offset(cfa, rule.fp_offset))?,
        Rule::FP_AT_FP => at.fp = read(offset(at.fp, rule.fp_offset))?,
        Rule::FP_IS_CFA => at.fp = offset(cfa, rule.fp_offset),
        // No frame pointer: they are multiples of eight.
        Rule::FP_LOST => at.fp = 1,
        _ => {}
    }
    at.flags = 0;
    at.sp = cfa;
    at.lr = pc;
    arrive(at, pc & mask)
}

#[inline(always)]
fn arrive(at: &mut Registers, pc: u64) -> Result<(), WalkEnd> {
    if pc == 0 {
        return Err(WalkEnd::ROOT);
    }
    at.pc = pc;
    Ok(())
}

/// The code that a signal interrupted: its registers are on the stack.
#[inline(always)]
fn signal(
    at: &mut Registers,
    rule: &Rule,
    mask: u64,
    read: impl Fn(u64) -> Result<u64, WalkEnd>,
) -> Result<(), WalkEnd> {
    let frame = at.sp;
    let pc = read(offset(frame, rule.ra_offset))?;
    at.fp = read(offset(frame, rule.fp_offset))?;
    at.sp = read(offset(frame, rule.cfa_offset))?;
    if rule.add != 0 {
        at.lr = read(offset(frame, rule.add))?;
    }
    at.flags = Registers::EXACT;
    arrive(at, pc & mask)
}

/// A frame record: the caller's frame pointer and the return address, at the
/// frame pointer (System V psABI, 3.2.2; AAPCS64, 6.4.6). At the root of a
/// stack the frame pointer is zero.
#[inline(always)]
fn frame_pointer(
    at: &mut Registers,
    outermost: bool,
    mask: u64,
    read: impl Fn(u64) -> Result<u64, WalkEnd>,
) -> Result<(), WalkEnd> {
    let frame = at.fp;
    // Code without frame pointers may use the register for anything, so that
    // zero means something only at the end of a chain of frame records.
    let chained = at.flags & Registers::GUESSED != 0;
    if frame == 0 && (chained || outermost && !at.is_exact()) {
        return Err(WalkEnd::ROOT);
    }
    if frame < at.sp || frame - at.sp > FRAME_REACH || frame & 7 != 0 {
        return Err(WalkEnd::NO_TABLE);
    }
    let next = read(frame)?;
    let pc = read(frame.wrapping_add(8))?;
    at.fp = next;
    at.sp = frame.wrapping_add(16);
    at.lr = pc;
    at.flags = Registers::GUESSED;
    arrive(at, pc & mask)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;

    /// A stack of words from address 0x1000 on.
    fn read(words: &[u64]) -> impl Fn(u64) -> Result<u64, WalkEnd> {
        |address| {
            let place = address.checked_sub(0x1000).ok_or(WalkEnd::FAULT)? / 8;
            words.get(place as usize).copied().ok_or(WalkEnd::FAULT)
        }
    }

    fn leaf() -> Registers {
        Registers {
            pc: 0x40_0000,
            sp: 0x1000,
            fp: 0x1010,
            lr: 0x40_1234,
            flags: Registers::EXACT,
        }
    }

    fn rule(cfa: u8, cfa_offset: i32) -> Rule {
        Rule {
            cfa_offset,
            ra_offset: -8,
            ..Rule::of(cfa)
        }
    }

    fn stepped(rule: &Rule, words: &[u64]) -> Result<Registers, WalkEnd> {
        let mut at = leaf();
        match step(&mut at, rule, u64::MAX, read(words)) {
            WalkEnd::ON => Ok(at),
            end => Err(end),
        }
    }

    #[test]
    fn the_caller_is_found_by_each_kind_of_cfa() {
        let stack = [10, 11, 0x1028, 13, 14, 15];
        for (rule, sp, pc) in [
            (rule(Rule::CFA_SP, 16), 0x1010, 11),
            (rule(Rule::CFA_FP, 16), 0x1020, 13),
            (rule(Rule::CFA_AT_SP, 16), 0x1028, 14),
            (rule(Rule::CFA_AT_FP, 0), 0x1028, 14),
        ] {
            let at = stepped(&rule, &stack).unwrap();
            assert_eq!((at.sp, at.pc, at.fp, at.flags), (sp, pc, 0x1010, 0));
        }
        let plt = Rule {
            add: 11,
            ..rule(Rule::CFA_PLT, 8)
        };
        assert_eq!(stepped(&plt, &stack).unwrap().pc, 10);
        let mut pushed = leaf();
        pushed.pc += 11;
        assert_eq!(step(&mut pushed, &plt, u64::MAX, read(&stack)), WalkEnd::ON);
        assert_eq!(pushed.pc, 11);
    }

    #[test]
    fn the_frame_pointer_comes_from_where_the_rule_says() {
        let stack = [10, 11, 12, 13];
        let with = |fp, fp_offset| Rule {
            fp,
            fp_offset,
            ..rule(Rule::CFA_SP, 16)
        };
        for (rule, fp) in [
            (with(Rule::FP_SAME, 0), 0x1010),
            (with(Rule::FP_AT_CFA, -16), 10),
            (with(Rule::FP_AT_FP, 8), 13),
            (with(Rule::FP_IS_CFA, 8), 0x1018),
            (with(Rule::FP_LOST, 0), 1),
        ] {
            assert_eq!(stepped(&rule, &stack).unwrap().fp, fp);
        }
    }

    #[test]
    fn only_a_leaf_may_return_by_the_link_register() {
        let link = Rule {
            ra: Rule::RA_LINK,
            ..rule(Rule::CFA_SP, 0)
        };
        let mut at = leaf();
        assert_eq!(step(&mut at, &link, 0xffff, read(&[])), WalkEnd::ON);
        assert_eq!((at.pc, at.sp), (0x1234, 0x1000), "signed bits are masked");
        assert_eq!(step(&mut at, &link, u64::MAX, read(&[])), WalkEnd::STUCK);
    }

    #[test]
    fn a_signal_leads_to_what_it_interrupted() {
        let frame = Rule {
            cfa_offset: 8,
            fp_offset: 16,
            ra_offset: 24,
            ..Rule::of(Rule::SIGNAL)
        };
        let at = stepped(&frame, &[0, 0x500, 0x600, 0x40_0042]).unwrap();
        assert_eq!((at.pc, at.sp, at.fp), (0x40_0042, 0x500, 0x600));
        assert!(
            at.is_exact(),
            "the stack may be anywhere, and pc is no call"
        );
    }

    #[test]
    fn a_walk_ends_at_the_root_and_nowhere_else() {
        let root = Rule {
            ra: Rule::RA_ROOT,
            ..rule(Rule::CFA_SP, 8)
        };
        assert_eq!(stepped(&root, &[1]), Err(WalkEnd::ROOT));
        assert_eq!(stepped(&rule(Rule::CFA_SP, 8), &[0]), Err(WalkEnd::ROOT));
        assert_eq!(stepped(&rule(Rule::CFA_SP, 8), &[]), Err(WalkEnd::FAULT));
        assert_eq!(stepped(&rule(Rule::CFA_SP, 0), &[1]), Err(WalkEnd::STUCK));
        assert_eq!(
            stepped(&Rule::of(Rule::UNSUPPORTED), &[1]),
            Err(WalkEnd::UNSUPPORTED)
        );
    }

    #[test]
    fn frame_pointers_are_followed_upwards_only() {
        let none = Rule::of(Rule::NONE);
        let at = stepped(&none, &[0, 0, 0x1020, 0x40_0001]).unwrap();
        assert_eq!(
            (at.pc, at.sp, at.fp, at.flags),
            (0x40_0001, 0x1020, 0x1020, Registers::GUESSED)
        );
        for fp in [0, 8, 0xff8, 0x1004, 0x1000 + FRAME_REACH + 8] {
            let mut at = Registers { fp, ..leaf() };
            assert_eq!(
                step(&mut at, &none, u64::MAX, read(&[1; 4])),
                WalkEnd::NO_TABLE
            );
        }
        let library = Rule { add: 1, ..none };
        for (rule, flags, end) in [
            (none, 0, WalkEnd::NO_TABLE),
            (none, Registers::GUESSED, WalkEnd::ROOT),
            (library, Registers::EXACT, WalkEnd::NO_TABLE),
            (library, 0, WalkEnd::ROOT),
        ] {
            let mut at = Registers {
                fp: 0,
                flags,
                ..leaf()
            };
            assert_eq!(step(&mut at, &rule, u64::MAX, read(&[1; 4])), end);
        }
    }
}
