//! What code itself says of its frames, where nothing else does: hand-written assembly,
//! and programs that were compiled without unwind information. Each function is followed
//! from its first byte, by all of its branches, and it is counted what it pushes and
//! pops. That is believed only if it works out: a function returns with the frame
//! pointer that it was called with, and with the stack pointer, unless it computes where
//! to put that.

use std::collections::BTreeMap;

use eprof_common::Rule;
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
};

/// Bytes of a word of the stack.
const WORD: i32 = 8;

/// Functions begin at multiples of this, as compilers lay them out.
const ALIGNMENT: u64 = 16;

/// Most instructions of one function that are followed.
const LONGEST: usize = 1 << 14;

/// Instructions that are looked at for each byte of code, in the mean: a function is
/// looked at about once, and more only where many in a row do not work out.
const EFFORT: usize = 2;

/// Instructions that are looked at whatever the length of the code.
const LEAST: usize = 256;

/// The largest frame that is believed, in bytes.
const LARGEST: i32 = 1 << 24;

/// Where a function is known to be: first address, one past the last.
pub(super) type Extent = (u64, u64);

/// Rows for the functions in `code`, which is at `begin`. `named` has those that are
/// known, in order. From each address on, a rule, `None` where nothing is known.
pub(super) fn rows(begin: u64, code: &[u8], named: &[Extent]) -> Vec<(u64, Option<Rule>)> {
    let end = begin.saturating_add(code.len() as u64);
    let mut rows = Vec::new();
    let mut at = begin;
    let mut left = code.len().saturating_mul(EFFORT).max(LEAST);
    while left > 0
        && let Some(start) = next_start(begin, code, named, at)
    {
        let next = named.partition_point(|&(known, _)| known <= start);
        let limit = named.get(next).map_or(end, |&(known, _)| known.min(end));
        let function = Function {
            begin,
            code,
            start,
            limit,
        };
        at = match function.follow(&mut left) {
            Some(followed) => {
                let after = followed.end;
                rows.extend(followed.rows);
                after.max(start + 1)
            }
            None => after_failure(begin, code, named, start),
        };
    }
    rows
}

/// Where the next function from `at` on begins.
fn next_start(begin: u64, code: &[u8], named: &[Extent], at: u64) -> Option<u64> {
    let end = begin + code.len() as u64;
    let next = named.partition_point(|&(known, _)| known < at);
    let known = named.get(next).map(|&(known, _)| known);
    // The rest of a function, which is come to by a way that cannot be followed, is
    // none of its own.
    let before = next.checked_sub(1).and_then(|last| named.get(last));
    let at = before.map_or(at, |&(_, end)| end.max(at));
    let rest = usize::try_from(at - begin).ok();
    let padded = rest
        .and_then(|rest| code.get(rest..))
        .map_or(end, |rest| at + padding(rest) as u64);
    let start = known.map_or(padded, |known| known.min(padded));
    (start < end).then_some(start)
}

/// How many of the first bytes fill up what lies between two functions.
fn padding(code: &[u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = code.get(length..) {
        length += match rest {
            [0xcc | 0x90 | 0, ..] => 1,
            // The nops of more bytes, perhaps with prefixes (Intel SDM 2, NOP).
            [0x66 | 0x2e | 0x0f, ..] => {
                let mut decoder = Decoder::new(64, rest, DecoderOptions::NONE);
                let nop = decoder.decode();
                if nop.mnemonic() != Mnemonic::Nop {
                    return length;
                }
                nop.len()
            }
            _ => return length,
        };
    }
    length
}

/// Where to go on after a function at `start` that could not be followed.
fn after_failure(begin: u64, code: &[u8], named: &[Extent], start: u64) -> u64 {
    let known = named.get(named.partition_point(|&(known, _)| known <= start));
    let known = known.map_or(u64::MAX, |&(known, _)| known);
    let aligned = (start + 1).next_multiple_of(ALIGNMENT);
    let end = begin + code.len() as u64;
    let mut places = (aligned..end).step_by(ALIGNMENT as usize);
    let next = places.find(|&place| {
        let before = usize::try_from(place - begin - 1).ok();
        // Padding, or the end of a function.
        matches!(
            before.and_then(|before| code.get(before)),
            Some(0xcc | 0x90 | 0 | 0xc3)
        )
    });
    next.unwrap_or(end).min(known)
}

/// What is known where an instruction begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// How far the stack pointer is below the CFA.
    depth: Option<i32>,
    fp: Pointer,
    /// How far below the CFA the caller's frame pointer was saved.
    saved: Option<i32>,
    /// Whether the frame pointer was made one, and the caller's restored by it.
    was_framed: bool,
}

/// What the frame pointer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pointer {
    /// What the caller had in it.
    Caller,
    /// The address so far below the CFA.
    Frame(i32),
    Other,
}

impl State {
    /// At the first instruction.
    const FIRST: Self = Self {
        depth: Some(WORD),
        fp: Pointer::Caller,
        saved: None,
        was_framed: false,
    };

    fn is_as_called(&self) -> bool {
        self.depth == Some(WORD) && self.fp == Pointer::Caller
    }

    /// Whether a function can return so.
    fn may_return(&self) -> bool {
        self.depth.is_none_or(|depth| depth == WORD) && self.fp == Pointer::Caller
    }

    /// What holds whichever way the instruction was come to.
    fn merged(self, other: Self) -> Self {
        fn same<T: PartialEq>(one: T, two: T, unknown: T) -> T {
            if one == two { one } else { unknown }
        }
        Self {
            depth: same(self.depth, other.depth, None),
            fp: same(self.fp, other.fp, Pointer::Other),
            saved: same(self.saved, other.saved, None),
            was_framed: self.was_framed && other.was_framed,
        }
    }

    fn rule(&self) -> Option<Rule> {
        let (cfa, cfa_offset) = match (self.fp, self.depth) {
            (Pointer::Frame(below), _) => (Rule::CFA_FP, below),
            (_, Some(depth)) => (Rule::CFA_SP, depth),
            _ => return None,
        };
        let (fp, fp_offset) = match (self.fp, self.saved) {
            (Pointer::Caller, _) => (Rule::FP_SAME, 0),
            (_, Some(saved)) => (Rule::FP_AT_CFA, -saved),
            _ => (Rule::FP_LOST, 0),
        };
        Some(Rule {
            fp,
            cfa_offset,
            fp_offset,
            ra_offset: -WORD,
            ..Rule::of(cfa)
        })
    }

    /// The stack pointer is so far below the CFA now.
    fn moved(&mut self, depth: Option<i32>) {
        // What is above the return address is not this function's.
        self.depth = depth.filter(|depth| (WORD..=LARGEST).contains(depth));
        if let (Some(depth), Some(saved)) = (self.depth, self.saved)
            && depth < saved
        {
            self.saved = None;
        }
    }

    /// How far below the CFA the operand in memory is.
    fn place(&self, instruction: &Instruction) -> Option<i32> {
        let base = match instruction.memory_base() {
            Register::RSP => self.depth?,
            Register::RBP => match self.fp {
                Pointer::Frame(below) => below,
                _ => return None,
            },
            _ => return None,
        };
        let displacement = i32::try_from(instruction.memory_displacement64() as i64).ok()?;
        (instruction.memory_index() == Register::None)
            .then(|| base.checked_sub(displacement))
            .flatten()
    }

    /// The frame pointer is loaded from so far below the CFA.
    fn restored(&mut self, from: Option<i32>) {
        self.fp = if from.is_some() && from == self.saved {
            self.was_framed |= matches!(self.fp, Pointer::Frame(_));
            Pointer::Caller
        } else {
            Pointer::Other
        };
    }

    /// After an instruction that does not branch.
    fn step(&mut self, instruction: &Instruction, info: &mut InstructionInfoFactory) {
        let register = |operand: u32| match instruction.op_kind(operand) {
            OpKind::Register => instruction.op_register(operand),
            _ => Register::None,
        };
        let is_memory = |operand: u32| instruction.op_kind(operand) == OpKind::Memory;
        let immediate = || i32::try_from(instruction.immediate(1) as i64).ok();
        let count = instruction.op_count();
        let (to, from) = (
            if count > 0 {
                register(0)
            } else {
                Register::None
            },
            if count > 1 {
                register(1)
            } else {
                Register::None
            },
        );
        let before = self.depth;
        let deeper = |by: Option<i32>| before.and_then(|depth| depth.checked_add(by?));
        match instruction.mnemonic() {
            Mnemonic::Push => {
                let depth = deeper(Some(-instruction.stack_pointer_increment()));
                self.moved(depth);
                if to == Register::RBP && self.fp == Pointer::Caller {
                    self.saved = self.depth;
                }
            }
            Mnemonic::Pop => {
                let place = self.depth;
                if to == Register::RBP {
                    self.restored(place);
                }
                let depth = deeper(Some(-instruction.stack_pointer_increment()));
                self.moved(depth.filter(|_| to != Register::RSP));
            }
            Mnemonic::Sub if to == Register::RSP && from == Register::None && !is_memory(1) => {
                self.moved(deeper(immediate()));
            }
            Mnemonic::Add if to == Register::RSP && from == Register::None && !is_memory(1) => {
                self.moved(deeper(immediate().map(|by| -by)));
            }
            Mnemonic::Lea if to == Register::RSP => {
                let place = self.place(instruction);
                self.moved(place);
            }
            Mnemonic::Lea if to == Register::RBP => {
                self.fp = self
                    .place(instruction)
                    .map_or(Pointer::Other, Pointer::Frame);
            }
            Mnemonic::Mov if to == Register::RSP && from == Register::RBP => {
                let depth = match self.fp {
                    Pointer::Frame(below) => Some(below),
                    _ => None,
                };
                self.moved(depth);
            }
            Mnemonic::Mov if to == Register::RBP && from == Register::RSP => {
                self.fp = self.depth.map_or(Pointer::Other, Pointer::Frame);
            }
            Mnemonic::Mov if is_memory(0) && from == Register::RBP => {
                if let (Pointer::Caller, Some(place)) = (self.fp, self.place(instruction)) {
                    self.saved = Some(place);
                }
            }
            Mnemonic::Mov if to == Register::RBP && is_memory(1) => {
                let place = self.place(instruction);
                self.restored(place);
            }
            Mnemonic::Leave => match self.fp {
                Pointer::Frame(below) => {
                    self.restored(Some(below));
                    self.moved(below.checked_sub(WORD));
                }
                _ => {
                    self.moved(None);
                    self.fp = Pointer::Other;
                }
            },
            _ => self.other(instruction, info),
        }
    }

    /// After an instruction of which it is only asked what it overwrites.
    fn other(&mut self, instruction: &Instruction, info: &mut InstructionInfoFactory) {
        let by = instruction.stack_pointer_increment();
        let used = info.info(instruction).used_registers().iter();
        let written = used.filter(|used| {
            matches!(
                used.access(),
                OpAccess::Write
                    | OpAccess::ReadWrite
                    | OpAccess::CondWrite
                    | OpAccess::ReadCondWrite
            )
        });
        let (mut sp, mut fp) = (false, false);
        for used in written {
            match used.register().full_register() {
                Register::RSP => sp = true,
                Register::RBP => fp = true,
                _ => {}
            }
        }
        if sp {
            let depth = self.depth.and_then(|depth| depth.checked_sub(by));
            self.moved(depth.filter(|_| by != 0));
        }
        if fp {
            self.fp = Pointer::Other;
        }
    }
}

/// A function, from `start` to no further than `limit`, in `code` at `begin`.
struct Function<'a> {
    begin: u64,
    code: &'a [u8],
    start: u64,
    limit: u64,
}

/// A function that works out.
struct Followed {
    end: u64,
    rows: Vec<(u64, Option<Rule>)>,
}

impl Function<'_> {
    fn decode(&self, at: u64) -> Option<Instruction> {
        let place = usize::try_from(at.checked_sub(self.begin)?).ok()?;
        let code = self.code.get(place..)?;
        let mut decoder = Decoder::with_ip(64, code, at, DecoderOptions::NONE);
        let instruction = decoder.decode();
        (!instruction.is_invalid()).then_some(instruction)
    }

    fn is_inside(&self, at: u64) -> bool {
        (self.start..self.limit).contains(&at)
    }

    /// `None` where a function does not work out, nothing shows that it does, or more
    /// than `left` instructions would have to be looked at.
    fn follow(&self, left: &mut usize) -> Option<Followed> {
        let mut info = InstructionInfoFactory::new();
        let mut known: BTreeMap<u64, (State, usize)> = BTreeMap::new();
        let mut open = vec![(self.start, State::FIRST)];
        let mut is_proven = false;
        while let Some((at, state)) = open.pop() {
            let state = match known.get(&at) {
                Some(&(before, _)) => {
                    let merged = before.merged(state);
                    if merged == before {
                        continue;
                    }
                    merged
                }
                None => state,
            };
            *left = left.checked_sub(1)?;
            let instruction = self.decode(at)?;
            known.insert(at, (state, instruction.len()));
            if known.len() > LONGEST {
                return None;
            }
            let next = instruction.next_ip();
            let mut after = state;
            let mut go = |at: u64, state: State| {
                if self.is_inside(at) {
                    open.push((at, state));
                }
            };
            match instruction.flow_control() {
                FlowControl::Return => {
                    // Checked when all is known. Of those that compute where their
                    // stack pointer is to be, the frame pointer tells.
                    is_proven |= state.is_as_called() || state.was_framed;
                }
                FlowControl::UnconditionalBranch => {
                    let target = instruction.near_branch_target();
                    is_proven |= !self.is_inside(target) && state.is_as_called();
                    go(target, state);
                }
                FlowControl::IndirectBranch => is_proven |= state.is_as_called(),
                FlowControl::ConditionalBranch => {
                    go(instruction.near_branch_target(), state);
                    go(next, state);
                }
                FlowControl::Call if instruction.near_branch_target() == next => {
                    after.moved(state.depth.map(|depth| depth + WORD));
                    go(next, after);
                }
                FlowControl::Call | FlowControl::IndirectCall => go(next, state),
                FlowControl::Exception => {}
                // int3 is what no function runs into; others are system calls.
                FlowControl::Interrupt if instruction.mnemonic() == Mnemonic::Int3 => {}
                _ => {
                    after.step(&instruction, &mut info);
                    go(next, after);
                }
            }
        }
        let returns = |at: u64| {
            let instruction = self.decode(at);
            instruction.is_some_and(|one| one.flow_control() == FlowControl::Return)
        };
        let works_out = known
            .iter()
            .all(|(&at, (state, _))| state.may_return() || !returns(at));
        (is_proven && works_out).then(|| self.rows(&known))
    }

    fn rows(&self, known: &BTreeMap<u64, (State, usize)>) -> Followed {
        let mut rows: Vec<(u64, Option<Rule>)> = Vec::new();
        let mut end = self.start;
        for (&at, (state, length)) in known {
            if at > end {
                rows.push((end, None));
            }
            let rule = state.rule();
            if at > end || rows.last().is_none_or(|&(_, before)| before != rule) {
                rows.push((at, rule));
            }
            end = end.max(at + *length as u64);
        }
        rows.push((end, None));
        Followed { end, rows }
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
