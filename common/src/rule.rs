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
    /// The link register; on x86-64 `rdi`, of the leaf only. During a search
    /// ([`Rule::CFA_SOUGHT`]) the function whose call is looked for.
    pub lr: u64,
    /// Flags: [`Registers::EXACT`] and others.
    pub flags: u64,
}

impl Registers {
    /// `pc` was interrupted there: it is no return address.
    pub const EXACT: u64 = 1;
    /// The last step followed a frame pointer that nothing vouches for.
    pub const GUESSED: u64 = 2;
    /// Some step followed a frame pointer in code of a file that says nothing
    /// of its frames, and may have passed over callers: wherever the walk ends,
    /// it is not proven to be whole.
    pub const DOUBTED: u64 = 4;
    /// The caller's place on another stack is being looked for; `sp` is where
    /// to look next.
    pub const SEEKING: u64 = 8;
    /// It was found by its call; the next step has to confirm it.
    pub const SOUGHT: u64 = 16;
    /// Words have four bytes: the code is that of 32-bit x86.
    pub const NARROW: u64 = 32;

    /// What stays so up to the end of a walk.
    const KEPT: u64 = Self::DOUBTED | Self::NARROW;

    /// Whether `pc` is no return address.
    #[inline(always)]
    pub const fn is_exact(&self) -> bool {
        self.flags & Self::EXACT != 0
    }

    /// Whether a walk may resume at this frame, by its registers alone.
    #[inline(always)]
    pub const fn can_resume(&self) -> bool {
        self.flags & !Self::DOUBTED == 0
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
    /// Bits, `MODE_…`.
    pub mode: u8,
    /// Offset for the CFA.
    pub cfa_offset: i32,
    /// Offset for the frame pointer.
    pub fp_offset: i32,
    /// Offset for the return address.
    pub ra_offset: i32,
    /// Added to what was loaded; of a signal's frame, where the link register
    /// is.
    pub add: i32,
    /// Of [`Rule::CFA_SAVED`] and [`Rule::CFA_SOUGHT`], another offset.
    pub second: i32,
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
    /// Where Go calls C, it keeps the goroutine and how deep its stack was:
    /// CFA = the word 8 bytes into what is pointed to from sp + offset (the end of
    /// the goroutine's stack), - the word at sp + second, + add.
    pub const CFA_SAVED: u8 = 8;
    /// Nobody has kept where the caller's frame is, but for its frame pointer.
    /// Below it lies a return address behind a direct call of this function,
    /// which began `second` bytes before.
    pub const CFA_SOUGHT: u8 = 9;

    /// What this rule leads to may not be the caller.
    pub const MODE_DOUBT: u8 = 1;
    /// The caller is on another stack, which may lie lower.
    pub const MODE_ELSEWHERE: u8 = 2;

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

    /// For code of a file that says nothing of its frames, where others are said
    /// something of: frame pointers are followed, and prove nothing.
    pub const DOUBTFUL: Self = Self {
        mode: Self::MODE_DOUBT,
        ..Self::of(Self::NONE)
    };

    /// A rule of this kind, and nothing else.
    pub const fn of(cfa: u8) -> Self {
        Self {
            cfa,
            fp: Self::FP_SAME,
            ra: Self::RA_AT_CFA,
            mode: 0,
            cfa_offset: 0,
            fp_offset: 0,
            ra_offset: 0,
            add: 0,
            second: 0,
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

/// How far below a frame pointer a return address is looked for, in bytes.
const SOUGHT_REACH: u64 = 1 << 10;

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
    let narrow = at.flags & Registers::NARROW != 0;
    let read = |address| {
        let word = read(address)?;
        Ok(if narrow { word & 0xffff_ffff } else { word })
    };
    match walk(at, rule, mask, read) {
        Ok(()) => WalkEnd::ON,
        // Callers may be missing.
        Err(WalkEnd::ROOT) if at.flags & Registers::DOUBTED != 0 => WalkEnd::NO_TABLE,
        Err(end) => end,
    }
}

/// Looks for the caller at the next place of a search: [`WalkEnd::ON`] where it was
/// found, and where the search goes on ([`Registers::SEEKING`]).
#[inline(always)]
pub fn seek(at: &mut Registers, read: impl Fn(u64) -> Result<u64, WalkEnd>) -> WalkEnd {
    match seek_next(at, read) {
        Ok(()) => WalkEnd::ON,
        Err(end) => end,
    }
}

#[inline(always)]
fn seek_next(
    at: &mut Registers,
    read: impl Fn(u64) -> Result<u64, WalkEnd>,
) -> Result<(), WalkEnd> {
    /// The first byte of a direct call, in the fourth byte of the word before a
    /// return address; its distance follows.
    const CALL: u64 = 0xe8;
    let place = at.sp;
    if at.fp.wrapping_sub(place) > SOUGHT_REACH {
        return Err(WalkEnd::NO_TABLE);
    }
    let pc = read(place)?;
    let before = read(pc.wrapping_sub(8)).unwrap_or(0);
    let target = pc.wrapping_add_signed((before as i64) >> 32);
    if before >> 24 & 0xff == CALL && target == at.lr {
        at.pc = pc;
        at.sp = place.wrapping_add(8);
        at.flags = at.flags & Registers::KEPT | Registers::SOUGHT;
    } else {
        at.sp = place.wrapping_sub(8);
    }
    Ok(())
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
        Rule::CFA_SAVED => {
            let goroutine = read(offset(at.sp, rule.cfa_offset))?;
            let end = read(goroutine.wrapping_add(8))?;
            let depth = read(offset(at.sp, rule.second))?;
            offset(end.wrapping_sub(depth), rule.add)
        }
        Rule::CFA_SOUGHT => {
            at.lr = offset(at.pc, rule.second.wrapping_neg());
            at.sp = at.fp.wrapping_sub(8);
            at.flags = at.flags & Registers::KEPT | Registers::SEEKING;
            return Ok(());
        }
        Rule::SIGNAL => return signal(at, rule, mask, read),
        Rule::NONE => return frame_pointer(at, rule, mask, read),
        _ => return Err(WalkEnd::UNSUPPORTED),
    };
    // A function that has no frame, of which there can be but one, may have
    // its caller's stack pointer.
    let lowest = if rule.ra == Rule::RA_LINK && at.is_exact() {
        at.sp
    } else {
        at.sp.wrapping_add(1)
    };
    let elsewhere = rule.mode & Rule::MODE_ELSEWHERE != 0;
    if cfa < lowest && !elsewhere {
        return Err(WalkEnd::STUCK);
    }
    // A function of Go's that calls has its frame pointer right below the return
    // address.
    if at.flags & Registers::SOUGHT != 0 && cfa != at.fp.wrapping_add(16) {
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
    // Tables of interpreters in assembly hold where these call, and not everywhere.
    if pc == 0 && at.is_exact() {
        return Err(WalkEnd::NO_TABLE);
    }
    at.flags &= Registers::KEPT;
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
    at.flags = at.flags & Registers::KEPT | Registers::EXACT;
    arrive(at, pc & mask)
}

/// A frame record: the caller's frame pointer and the return address, at the
/// frame pointer (System V psABI, 3.2.2; AAPCS64, 6.4.6). At the root of a
/// stack the frame pointer is zero.
#[inline(always)]
fn frame_pointer(
    at: &mut Registers,
    rule: &Rule,
    mask: u64,
    read: impl Fn(u64) -> Result<u64, WalkEnd>,
) -> Result<(), WalkEnd> {
    let frame = at.fp;
    let outermost = rule.add != 0;
    let kept = at.flags & Registers::KEPT;
    let narrow = kept & Registers::NARROW != 0;
    // Compilers for 32-bit x86 seldom keep it.
    let doubt = if narrow || rule.mode & Rule::MODE_DOUBT != 0 {
        Registers::DOUBTED
    } else {
        0
    };
    let word = if narrow { 4 } else { 8 };
    // Code without frame pointers may use the register for anything, so that
    // zero means something only at the end of a chain of frame records.
    let chained = at.flags & Registers::GUESSED != 0;
    if frame == 0 && (chained || outermost && !at.is_exact()) {
        return Err(WalkEnd::ROOT);
    }
    if frame < at.sp || frame - at.sp > FRAME_REACH || frame & (word - 1) != 0 {
        return Err(WalkEnd::NO_TABLE);
    }
    let next = read(frame)?;
    let pc = read(frame.wrapping_add(word))?;
    at.fp = next;
    at.sp = frame.wrapping_add(2 * word);
    at.lr = pc;
    at.flags = Registers::GUESSED | kept | doubt;
    // The same is true of a return address of zero.
    if pc == 0 && !chained {
        return Err(WalkEnd::NO_TABLE);
    }
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
        let zero = rule(Rule::CFA_SP, 8);
        assert_eq!(
            stepped(&zero, &[0]),
            Err(WalkEnd::NO_TABLE),
            "it calls nothing"
        );
        let mut called = Registers { flags: 0, ..leaf() };
        assert_eq!(
            step(&mut called, &zero, u64::MAX, read(&[0])),
            WalkEnd::ROOT
        );
        assert_eq!(stepped(&rule(Rule::CFA_SP, 8), &[]), Err(WalkEnd::FAULT));
        assert_eq!(stepped(&rule(Rule::CFA_SP, 0), &[1]), Err(WalkEnd::STUCK));
        assert_eq!(
            stepped(&Rule::of(Rule::UNSUPPORTED), &[1]),
            Err(WalkEnd::UNSUPPORTED)
        );
    }

    #[test]
    fn a_walk_that_guessed_on_the_way_is_not_whole() {
        let stack = [0, 0, 0x1020, 0x40_0001, 0, 0];
        let root = Rule {
            ra: Rule::RA_ROOT,
            ..rule(Rule::CFA_SP, 8)
        };
        for (first, end) in [
            (Rule::of(Rule::NONE), WalkEnd::ROOT),
            (Rule::DOUBTFUL, WalkEnd::NO_TABLE),
        ] {
            let mut at = stepped(&first, &stack).unwrap();
            // Whatever comes in between.
            let by_table = rule(Rule::CFA_SP, 8);
            let mut next = at;
            let words = [0, 0, 0, 0, 0x40_0002];
            assert_eq!(
                step(&mut next, &by_table, u64::MAX, read(&words)),
                WalkEnd::ON
            );
            assert_eq!(step(&mut next, &root, u64::MAX, read(&[])), end);
            assert_eq!(step(&mut at, &root, u64::MAX, read(&[])), end);
        }
    }

    #[test]
    fn a_goroutine_that_calls_c_has_its_stack_pointer_from_its_end() {
        // sp + 16: the goroutine, whose stack ends at 0x1048; sp + 8: its depth.
        let stack = [0, 0x18, 0x1018, 0, 0x1048, 0, 0x40_0077, 0];
        let saved = Rule {
            cfa_offset: 16,
            second: 8,
            add: 8,
            mode: Rule::MODE_ELSEWHERE,
            ..rule(Rule::CFA_SAVED, 0)
        };
        let at = stepped(
            &Rule {
                cfa_offset: 16,
                ..saved
            },
            &stack,
        )
        .unwrap();
        assert_eq!((at.sp, at.pc, at.flags), (0x1038, 0x40_0077, 0));
    }

    #[test]
    fn a_caller_on_another_stack_is_sought_by_its_call() {
        // A call of 0x2000_0000 ends at 0x2000_0105, where the word of the caller is.
        const PC: u64 = 0x2000_0105;
        let distance = 0x2000_0000_u32.wrapping_sub(PC as u32);
        let call = u64::from(distance) << 32 | 0xe8 << 24;
        let memory = |address: u64| match address {
            0x1000 => Ok(PC),
            0x1008 => Ok(0x2000_0205),
            0x1018 => Ok(0x40_0009),
            address if address == PC - 8 => Ok(call),
            0x1010 => Ok(5),
            _ => Err(WalkEnd::FAULT),
        };
        let mut at = Registers {
            pc: 0x2000_0030,
            sp: 0x9000,
            fp: 0x1010,
            flags: 0,
            lr: 0,
        };
        let sought = Rule {
            second: 0x30,
            ..Rule::of(Rule::CFA_SOUGHT)
        };
        assert_eq!(step(&mut at, &sought, u64::MAX, memory), WalkEnd::ON);
        let mut seeks = 0;
        while at.flags & Registers::SEEKING != 0 {
            assert_eq!(seek(&mut at, memory), WalkEnd::ON);
            seeks += 1;
        }
        assert_eq!((at.pc, at.sp, seeks), (PC, 0x1008, 2));
        assert!(!at.can_resume(), "it is to be confirmed");
        let mut wrong = at;
        assert_eq!(
            step(&mut wrong, &rule(Rule::CFA_SP, 8), u64::MAX, memory),
            WalkEnd::STUCK
        );
        assert_eq!(
            step(&mut at, &rule(Rule::CFA_SP, 0x18), u64::MAX, memory),
            WalkEnd::ON
        );
        assert_eq!((at.pc, at.flags), (0x40_0009, 0));
        // Nothing is found for ever.
        let mut at = Registers {
            fp: 0x9000,
            sp: 0x8ff8,
            flags: Registers::SEEKING,
            ..at
        };
        let mut end = WalkEnd::ON;
        for _ in 0..SOUGHT_REACH {
            if end == WalkEnd::ON {
                end = seek(&mut at, |_| Ok(0));
            }
        }
        assert_eq!(end, WalkEnd::NO_TABLE);
    }

    #[test]
    fn frames_of_32_bit_code_have_words_of_four_bytes_and_prove_nothing() {
        let memory = |address: u64| match address {
            0x1004 => Ok(0x0804_8123_0000_1014),
            0x1008 => Ok(0x7777_7777_0804_8123),
            0x1014 => Ok(0),
            0x1018 => Ok(0x0804_8200),
            _ => Err(WalkEnd::FAULT),
        };
        let mut at = Registers {
            fp: 0x1004,
            flags: Registers::EXACT | Registers::NARROW,
            ..leaf()
        };
        let none = Rule::of(Rule::NONE);
        assert_eq!(step(&mut at, &none, u64::MAX, memory), WalkEnd::ON);
        assert_eq!((at.pc, at.sp, at.fp), (0x0804_8123, 0x100c, 0x1014));
        assert_eq!(step(&mut at, &none, u64::MAX, memory), WalkEnd::ON);
        assert_eq!(step(&mut at, &none, u64::MAX, memory), WalkEnd::NO_TABLE);
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
        assert_eq!(stepped(&none, &[0, 0, 0x1020, 0]), Err(WalkEnd::NO_TABLE));
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
