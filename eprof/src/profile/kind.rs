//! What a frame is: the program's own code, or what part of the kernel.
//!
//! Kernel functions are recognised by their names: those of the entry code of
//! x86-64 (arch/x86/entry/entry_64.S, arch/x86/include/asm/idtentry.h) and
//! aarch64 (arch/arm64/kernel/entry.S, entry-common.c), and of the generic
//! interrupt, soft interrupt and idle code (kernel/irq, kernel/softirq.c,
//! kernel/sched/idle.c).

use super::marker::{GENERATED, INTERRUPT, KERNEL};
use super::model::{FunctionKey, SymbolFrame};

/// What a frame of a stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameKind {
    /// A function of the program or its libraries.
    User,
    /// The same, inlined into its caller.
    Inlined,
    /// Code that was made at run time.
    Generated,
    /// The kernel, on behalf of a system call.
    Syscall,
    /// The kernel otherwise: page faults, scheduling, kernel threads.
    Kernel,
    /// The kernel in an interrupt, hard or soft: it may work for anybody.
    Interrupt,
    /// The idle task.
    Idle,
    /// No code: `[unknown]`, `[truncated]`, `[unsampled]`.
    Marker,
}

/// The kinds of the frames of a stack, root first: what the kernel does, it
/// does for what called it last.
pub fn kinds(frames: &[SymbolFrame]) -> impl Iterator<Item = FrameKind> {
    let mut inside = FrameKind::Kernel;
    frames.iter().map(move |frame| {
        if frame.key.module == KERNEL {
            inside = entered(&frame.key.function, inside);
            return inside;
        }
        inside = FrameKind::Kernel;
        let named = !frame.key.function.starts_with('[');
        if frame.key.module == GENERATED && named {
            FrameKind::Generated
        } else if !named {
            FrameKind::Marker
        } else if frame.inlined {
            FrameKind::Inlined
        } else {
            FrameKind::User
        }
    })
}

/// Whether `function` is where the kernel begins with an interrupt.
pub(super) fn enters_interrupt(function: &FunctionKey) -> bool {
    function.module == KERNEL && is_interrupt(&function.function)
}

fn entered(function: &str, inside: FrameKind) -> FrameKind {
    if function == INTERRUPT || is_interrupt(function) {
        FrameKind::Interrupt
    } else if is_syscall(function) {
        FrameKind::Syscall
    } else if is_idle(function) {
        FrameKind::Idle
    } else {
        inside
    }
}

fn is_interrupt(function: &str) -> bool {
    [
        "asm_sysvec_",
        "sysvec_",
        "asm_common_interrupt",
        "common_interrupt",
    ]
    .iter()
    .any(|begin| function.starts_with(begin))
        || matches!(
            plain(function),
            "handle_softirqs"
                | "__do_softirq"
                | "do_softirq"
                | "irq_exit_rcu"
                | "__irq_exit_rcu"
                | "run_ksoftirqd"
                | "handle_irq_event"
                | "generic_handle_irq"
                | "generic_handle_domain_irq"
                | "el0t_64_irq"
                | "el0_interrupt"
                | "el1h_64_irq"
                | "el1_interrupt"
                | "gic_handle_irq"
                | "call_on_irq_stack"
        )
}

fn is_syscall(function: &str) -> bool {
    matches!(
        plain(function),
        "entry_SYSCALL_64"
            | "entry_SYSCALL_64_after_hwframe"
            | "entry_SYSCALL_compat"
            | "entry_SYSCALL_compat_after_hwframe"
            | "entry_INT80_compat"
            | "asm_int80_emulation"
            | "do_syscall_64"
            | "do_fast_syscall_32"
            | "do_int80_syscall_32"
            | "x64_sys_call"
            | "el0t_64_sync"
            | "el0_svc"
            | "el0_svc_common"
            | "do_el0_svc"
            | "invoke_syscall"
    )
}

fn is_idle(function: &str) -> bool {
    matches!(
        plain(function),
        "do_idle"
            | "cpu_startup_entry"
            | "cpuidle_idle_call"
            | "default_idle_call"
            | "cpuidle_enter"
    )
}

/// A name without what the compiler put behind it (`.constprop.0`, `.isra.0`)
/// and without a line.
fn plain(function: &str) -> &str {
    function.split(['.', ' ']).next().unwrap_or(function)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn frame(name: &str) -> SymbolFrame {
        let (function, module) = name.split_once('@').unwrap_or((name, ""));
        SymbolFrame {
            key: Arc::new(FunctionKey {
                function: function.to_owned(),
                module: module.to_owned(),
            }),
            inlined: function == "inlined",
        }
    }

    fn kinds_of(names: &[&str]) -> Vec<FrameKind> {
        let frames: Vec<_> = names.iter().map(|name| frame(name)).collect();
        kinds(&frames).collect()
    }

    #[test]
    fn the_kernel_works_for_what_called_it_last() {
        use FrameKind::*;
        assert_eq!(
            kinds_of(&[
                "[truncated]",
                "main@a",
                "inlined@a",
                "py::f:/a.py@[jit]",
                "[unknown] in [jit]@[jit]",
                "entry_SYSCALL_64_after_hwframe@[kernel]",
                "do_syscall_64@[kernel]",
                "vfs_read@[kernel]",
                "asm_sysvec_apic_timer_interrupt@[kernel]",
                "handle_softirqs@[kernel]",
                "net_rx_action@[kernel]",
            ]),
            [
                Marker, User, Inlined, Generated, Marker, Syscall, Syscall, Syscall, Interrupt,
                Interrupt, Interrupt
            ]
        );
        assert_eq!(
            kinds_of(&[
                "main@a",
                "asm_exc_page_fault@[kernel]",
                "handle_mm_fault@[kernel]"
            ]),
            [User, Kernel, Kernel]
        );
        assert_eq!(
            kinds_of(&[
                "el0t_64_sync@[kernel]",
                "el0_svc@[kernel]",
                "ksys_write.isra.0@[kernel]"
            ]),
            [Syscall; 3]
        );
        assert_eq!(
            kinds_of(&[
                "cpu_startup_entry@[kernel]",
                "do_idle@[kernel]",
                "pv_native_safe_halt@[kernel]"
            ]),
            [Idle; 3]
        );
    }

    #[test]
    fn a_function_of_the_program_is_no_interrupt() {
        assert_eq!(
            kinds_of(&["sysvec_of_my_own@a", "do_idle@a"]),
            [FrameKind::User; 2]
        );
        assert!(!enters_interrupt(&frame("sysvec_of_my_own@a").key));
    }
}
