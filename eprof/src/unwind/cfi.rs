//! From a row of call frame information to a [`Rule`].

use eprof_common::Rule;
use gimli::{
    CfaRule, Encoding, Format, Operation, Reader, Register, RegisterRule, UnwindExpression,
    UnwindSection, UnwindTableRow,
};

use super::segment::Machine;

/// The registers that matter, by their DWARF numbers.
struct Names {
    sp: Register,
    fp: Register,
    ra: Register,
}

impl Machine {
    const fn names(self) -> Names {
        match self {
            // System V psABI x86-64, figure 3.36.
            Self::X86_64 => Names {
                sp: Register(7),
                fp: Register(6),
                ra: Register(16),
            },
            // DWARF for the Arm 64-bit Architecture, 4.1.
            Self::Aarch64 => Names {
                sp: Register(31),
                fp: Register(29),
                ra: Register(30),
            },
        }
    }

    /// The register in which a leaf may keep its return address: on x86-64
    /// `rdi`, which `vfork` of the GNU C library uses.
    const fn link(self) -> Register {
        match self {
            Self::X86_64 => Register(5),
            Self::Aarch64 => Register(30),
        }
    }

    /// The frame that the kernel makes to run a signal handler, as seen from
    /// the code to which the handler returns.
    pub(super) const fn signal(self) -> Rule {
        let frame = Rule::of(Rule::SIGNAL);
        match self {
            // The handler's return took away the first word of `struct
            // rt_sigframe` (arch/x86/include/asm/sigframe.h); `struct
            // ucontext` has its registers at 40 (uapi/asm/sigcontext.h).
            Self::X86_64 => Rule {
                cfa_offset: 160,
                fp_offset: 120,
                ra_offset: 168,
                ..frame
            },
            // `struct rt_sigframe` (arch/arm64/kernel/signal.c): 128 bytes of
            // siginfo, then `struct ucontext` with its `struct sigcontext` at
            // 176, whose registers begin at 8.
            Self::Aarch64 => Rule {
                cfa_offset: 560,
                fp_offset: 544,
                ra_offset: 568,
                add: 552,
                ..frame
            },
        }
    }

    /// The code that ends a signal handler: `rt_sigreturn`, as the C libraries
    /// and the kernel write it.
    pub(super) const fn sigreturn(self) -> &'static [u8] {
        match self {
            // mov $15, %rax; syscall
            Self::X86_64 => &[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05],
            // mov x8, #139; svc #0
            Self::Aarch64 => &[0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4],
        }
    }
}

/// The rule for a row of `section`; [`Rule::UNSUPPORTED`] for what a [`Rule`]
/// cannot say.
pub(super) fn rule<R, S>(machine: Machine, section: &S, row: &UnwindTableRow<R::Offset>) -> Rule
where
    R: Reader,
    S: UnwindSection<R>,
{
    let translate = Translate {
        names: machine.names(),
        section,
        reader: std::marker::PhantomData,
    };
    translate
        .rule(machine, row)
        .unwrap_or(Rule::of(Rule::UNSUPPORTED))
}

struct Translate<'a, R, S> {
    names: Names,
    section: &'a S,
    reader: std::marker::PhantomData<R>,
}

impl<R: Reader, S: UnwindSection<R>> Translate<'_, R, S> {
    fn rule(&self, machine: Machine, row: &UnwindTableRow<R::Offset>) -> Option<Rule> {
        let Names { sp, fp, ra } = self.names;
        let mut rule = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                let kind = match *register {
                    register if register == sp => Rule::CFA_SP,
                    register if register == fp => Rule::CFA_FP,
                    _ => return self.rootward(row),
                };
                Rule {
                    cfa_offset: i32::try_from(*offset).ok()?,
                    ..Rule::of(kind)
                }
            }
            CfaRule::Expression(expression) => match self.cfa(expression) {
                Some(rule) => rule,
                None => return self.rootward(row),
            },
        };
        match row.register(ra) {
            Some(RegisterRule::Offset(offset)) => {
                rule.ra = Rule::RA_AT_CFA;
                rule.ra_offset = i32::try_from(offset).ok()?;
            }
            Some(RegisterRule::Undefined) => rule.ra = Rule::RA_ROOT,
            None | Some(RegisterRule::SameValue) => match machine {
                Machine::Aarch64 => rule.ra = Rule::RA_LINK,
                // By the ABI it is where the call pushed it.
                Machine::X86_64 => rule.ra_offset = -8,
            },
            Some(RegisterRule::Register(register)) if register == machine.link() => {
                rule.ra = Rule::RA_LINK;
            }
            Some(_) => return None,
        }
        match row.register(fp) {
            None | Some(RegisterRule::SameValue) => {}
            Some(RegisterRule::Offset(offset)) => {
                rule.fp = Rule::FP_AT_CFA;
                rule.fp_offset = i32::try_from(offset).ok()?;
            }
            Some(RegisterRule::ValOffset(offset)) => {
                rule.fp = Rule::FP_IS_CFA;
                rule.fp_offset = i32::try_from(offset).ok()?;
            }
            Some(RegisterRule::Expression(expression)) => match &self.operations(&expression)[..] {
                [
                    Operation::RegisterOffset {
                        register, offset, ..
                    },
                ] if *register == fp => {
                    rule.fp = Rule::FP_AT_FP;
                    rule.fp_offset = i32::try_from(*offset).ok()?;
                }
                _ => rule.fp = Rule::FP_LOST,
            },
            Some(_) => rule.fp = Rule::FP_LOST,
        }
        Some(rule)
    }

    /// At the root, nothing but the lack of a return address matters.
    fn rootward(&self, row: &UnwindTableRow<R::Offset>) -> Option<Rule> {
        matches!(row.register(self.names.ra), Some(RegisterRule::Undefined)).then_some(Rule {
            ra: Rule::RA_ROOT,
            ..Rule::of(Rule::UNSUPPORTED)
        })
    }

    fn cfa(&self, expression: &UnwindExpression<R::Offset>) -> Option<Rule> {
        use Operation::{
            And, Deref, Ge, Plus, PlusConstant, RegisterOffset, Shl, UnsignedConstant,
        };
        let Names { sp, fp, ra } = self.names;
        match &self.operations(expression)[..] {
            // Entries of the procedure linkage table, as binutils and lld
            // write them: sp + 8 + ((rip & 15) >= n) << 3.
            [
                RegisterOffset {
                    register, offset, ..
                },
                RegisterOffset {
                    register: at,
                    offset: 0,
                    ..
                },
                UnsignedConstant { value: 15 },
                And,
                UnsignedConstant { value },
                Ge,
                UnsignedConstant { value: 3 },
                Shl,
                Plus,
            ] if *register == sp && *at == ra => Some(Rule {
                cfa_offset: i32::try_from(*offset).ok()?,
                add: i32::try_from(*value).ok()?,
                ..Rule::of(Rule::CFA_PLT)
            }),
            // The caller's stack pointer was saved: functions that realign the
            // stack, and those that switch to another one.
            [
                RegisterOffset {
                    register, offset, ..
                },
                Deref { size: 8, .. },
                rest @ ..,
            ] => {
                let mut add = 0_i32;
                for operation in rest {
                    let PlusConstant { value } = operation else {
                        return None;
                    };
                    add = add.checked_add(i32::try_from(*value).ok()?)?;
                }
                let kind = match *register {
                    register if register == sp => Rule::CFA_AT_SP,
                    register if register == fp => Rule::CFA_AT_FP,
                    _ => return None,
                };
                Some(Rule {
                    cfa_offset: i32::try_from(*offset).ok()?,
                    add,
                    ..Rule::of(kind)
                })
            }
            [
                RegisterOffset {
                    register, offset, ..
                },
            ] => {
                let kind = match *register {
                    register if register == sp => Rule::CFA_SP,
                    register if register == fp => Rule::CFA_FP,
                    _ => return None,
                };
                Some(Rule {
                    cfa_offset: i32::try_from(*offset).ok()?,
                    ..Rule::of(kind)
                })
            }
            _ => None,
        }
    }

    /// The operations of an expression, a few at most; none where it is
    /// longer or malformed.
    fn operations(&self, expression: &UnwindExpression<R::Offset>) -> Vec<Operation<R>> {
        const LONGEST: usize = 12;
        let encoding = Encoding {
            address_size: 8,
            format: Format::Dwarf32,
            version: 4,
        };
        let Ok(expression) = expression.get(self.section) else {
            return Vec::new();
        };
        let mut operations = expression.operations(encoding);
        let mut all = Vec::new();
        loop {
            match operations.next() {
                Ok(Some(operation)) if all.len() < LONGEST => all.push(operation),
                Ok(None) => return all,
                _ => return Vec::new(),
            }
        }
    }
}
