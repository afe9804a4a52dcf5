//! What eprof needs to know of the running kernel's types.

use std::collections::HashMap;
use std::path::Path;

use super::btf::Btf;
use super::read_only::ReadOnly;
use crate::error::{Error, ErrorKind, Result};

/// Where the kernel shows its types.
const PATH: &str = "/sys/kernel/btf/vmlinux";

/// Hook with BTF: program, and the type of the tracepoint that it is attached
/// to, which is called `btf_trace_` and the tracepoint's name
/// (include/trace/bpf_probe.h).
const HOOKS: [(&str, &str); 6] = [
    ("created_btf", "btf_trace_task_newtask"),
    ("exec_btf", "btf_trace_sched_process_exec"),
    ("exit_btf", "btf_trace_sched_process_exit"),
    ("free_btf", "btf_trace_sched_process_free"),
    ("rename_btf", "btf_trace_task_rename"),
    ("switch_btf", "btf_trace_sched_switch"),
];

/// The offsets in `task_struct` that the programs need: constant, field.
const TASK_FIELDS: [(&str, &str); 6] = [
    ("OFFSET_PID", "pid"),
    ("OFFSET_TGID", "tgid"),
    ("OFFSET_FLAGS", "flags"),
    ("OFFSET_MM", "mm"),
    ("OFFSET_THREAD_PID", "thread_pid"),
    ("OFFSET_GROUP_LEADER", "group_leader"),
];

/// The same in `pid`.
const PID_FIELDS: [(&str, &str); 2] = [("OFFSET_LEVEL", "level"), ("OFFSET_NUMBERS", "numbers")];

/// Those that they can do without: constant, field of `task_struct`.
const TASK_DISPENSABLE: [(&str, &str); 1] = [("OFFSET_THREAD", "thread")];

/// The same in `thread_struct`, on x86-64.
const THREAD_DISPENSABLE: [(&str, &str); 1] = [("OFFSET_FSBASE", "fsbase")];

/// The same in `mm_struct`.
const MM_DISPENSABLE: [(&str, &str); 1] = [("OFFSET_START_STACK", "start_stack")];

/// A program, and the number of the type of what it is attached to.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct Hook {
    pub(in crate::kernel) program: &'static str,
    pub(in crate::kernel) number: u32,
}

/// What eprof needs to know of the running kernel's types.
#[derive(Debug)]
pub(in crate::kernel) struct KernelTypes {
    /// Bytes from the beginning of a structure, by the name of the constant that
    /// tells the programs.
    pub(in crate::kernel) offsets: HashMap<&'static str, u32>,
    /// All hooks.
    pub(in crate::kernel) hooks: [Hook; HOOKS.len()],
}

impl KernelTypes {
    /// Reads them.
    ///
    /// # Errors
    /// Where the kernel does not show its types, or lacks one of these.
    pub(in crate::kernel) fn read() -> Result<Self> {
        let path = Path::new(PATH);
        let data = ReadOnly::of(path).map_err(|error| {
            let failed = Error::io("read", path, &error);
            // It is no file that the user gave.
            let kind = match failed.kind() {
                ErrorKind::Input => ErrorKind::Unavailable,
                kind => kind,
            };
            let found = Error::new(kind, format!("no kernel type information: {failed}"));
            match failed.given_hint() {
                Some(hint) => found.hint(hint),
                None => found,
            }
        })?;
        Self::of(data.bytes())
    }

    fn of(data: &[u8]) -> Result<Self> {
        let malformed = || {
            Error::new(
                ErrorKind::Unavailable,
                "the kernel's type information is malformed",
            )
        };
        let btf = Btf::parse(data).ok_or_else(malformed)?;
        let ([task, pid, thread, mm], numbers) = btf.find(
            ["task_struct", "pid", "thread_struct", "mm_struct"],
            HOOKS.map(|(_, tracepoint)| tracepoint),
        );
        let missing =
            |what: String| Error::new(ErrorKind::Unavailable, format!("the kernel has no {what}"));
        let mut offsets = HashMap::new();
        let structures = [
            ("task_struct", task, TASK_FIELDS.as_slice()),
            ("pid", pid, &PID_FIELDS),
        ];
        for (name, structure, fields) in structures {
            for (constant, field) in fields {
                let offset = structure.and_then(|structure| structure.offset(field));
                let offset = offset.ok_or_else(|| missing(format!("field {field} in {name}")))?;
                offsets.insert(*constant, offset);
            }
        }
        let structures = [
            (task, TASK_DISPENSABLE),
            (thread, THREAD_DISPENSABLE),
            (mm, MM_DISPENSABLE),
        ];
        for (structure, fields) in structures {
            for (constant, field) in fields {
                let offset = structure.and_then(|structure| structure.offset(field));
                offsets.extend(offset.map(|offset| (constant, offset)));
            }
        }
        // It was called `state` before Linux 5.14 (2f064a59a11f).
        let state = ["__state", "state"]
            .iter()
            .find_map(|field| task?.offset(field));
        offsets.extend(state.map(|offset| ("OFFSET_STATE", offset)));
        let mut hooks = HOOKS.map(|(program, _)| Hook { program, number: 0 });
        for ((hook, number), (_, tracepoint)) in hooks.iter_mut().zip(numbers).zip(HOOKS) {
            hook.number = number.ok_or_else(|| missing(format!("type {tracepoint}")))?;
        }
        Ok(Self { offsets, hooks })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_type_information_is_refused() {
        for data in [b"".as_slice(), b"\x9f\xeb\x01\x00", &[0; 100]] {
            let error = KernelTypes::of(data).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
    }
}
