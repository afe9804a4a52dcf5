//! One program of the object: loaded, attached, run.

use std::ffi::CString;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::{fs, io};

use aya_obj::generated::{bpf_attach_type, bpf_prog_type};
use aya_obj::{Function, ProgramSection};
use perf_event::events::Tracepoint;
use perf_event::{Builder, Counter};

use crate::host::elevation;
use crate::kernel::bpf;
use crate::kernel::bpf::{Code, DebugInfo, INSTRUCTION};
use crate::kernel::refusal::RefusedProgram;

/// A program. Dropping it detaches it.
pub(in crate::kernel) struct Program {
    name: String,
    section: ProgramSection,
    license: CString,
    /// Its code; gone when it is loaded.
    function: Option<Function>,
    types: Option<Rc<OwnedFd>>,
    loaded: Option<OwnedFd>,
    hook: Option<Hook>,
}

/// What keeps a program attached.
enum Hook {
    Raw { _link: OwnedFd },
    Event { _event: Counter },
}

/// What the kernel counted of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::kernel) struct Runs {
    /// Time that it ran, in nanoseconds, while that was measured.
    pub(in crate::kernel) time: u64,
    /// How often it ran meanwhile.
    pub(in crate::kernel) count: u64,
    /// How often it was skipped, because it, or another one of its kind, was
    /// running on the CPU already.
    pub(in crate::kernel) missed: u64,
}

impl Program {
    /// A program that is connected to its maps.
    pub(in crate::kernel) fn new(
        name: &str,
        program: &aya_obj::Program,
        function: Function,
        types: Option<Rc<OwnedFd>>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            section: program.section.clone(),
            license: program.license.clone(),
            function: Some(function),
            types,
            loaded: None,
            hook: None,
        }
    }

    /// Hands the program over to the kernel. `attach_type_id` is the number of
    /// the kernel's type of what it will be attached to, zero for a program
    /// that does not need one.
    pub(in crate::kernel) fn load(&mut self, attach_type_id: u32) -> Result<(), RefusedProgram> {
        let Some(function) = self.function.take() else {
            return Ok(());
        };
        let loaded = self.offer(&function, attach_type_id);
        if loaded.is_err() {
            self.function = Some(function);
        }
        self.loaded = Some(loaded?);
        Ok(())
    }

    fn offer(&self, function: &Function, attach_type_id: u32) -> Result<OwnedFd, RefusedProgram> {
        let (program_type, attach_type) = match self.section {
            ProgramSection::BtfTracePoint => (
                bpf_prog_type::BPF_PROG_TYPE_TRACING,
                bpf_attach_type::BPF_TRACE_RAW_TP as u32,
            ),
            ProgramSection::RawTracePoint => (bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT, 0),
            ProgramSection::TracePoint => (bpf_prog_type::BPF_PROG_TYPE_TRACEPOINT, 0),
            ProgramSection::PerfEvent => (bpf_prog_type::BPF_PROG_TYPE_PERF_EVENT, 0),
            _ => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        };
        let functions = function.func_info.func_info_bytes();
        let lines = function.line_info.line_info_bytes();
        let instructions: Vec<[u8; INSTRUCTION]> =
            function.instructions.iter().map(encode).collect();
        let code = Code {
            name: &self.name,
            program_type: program_type as u32,
            attach_type,
            attach_type_id,
            instructions: instructions.as_flattened(),
            license: &self.license,
            debug: self.types.as_ref().map(|types| DebugInfo {
                btf: types.as_fd(),
                functions: (&functions, function.func_info_rec_size),
                lines: (&lines, function.line_info_rec_size),
            }),
        };
        bpf::load_program(&code).map_err(|error| RefusedProgram {
            error,
            log: bpf::verifier_log(&code),
        })
    }

    /// The descriptor of the loaded program.
    pub(in crate::kernel) fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        let loaded = self.loaded.as_ref();
        let loaded = loaded.ok_or_else(|| io::Error::other("the program is not loaded"));
        loaded.map(|loaded| loaded.as_fd())
    }

    /// Attaches the program to the tracepoint that it was loaded for.
    pub(in crate::kernel) fn attach(&mut self) -> io::Result<()> {
        let link = bpf::attach(self.fd()?)?;
        self.hook = Some(Hook::Raw { _link: link });
        Ok(())
    }

    /// Attaches the program to the tracepoint with this number (the file `id` in
    /// its directory of tracefs), on all CPUs: the kernel runs programs of
    /// tracepoints wherever these are hit, whatever CPU their event is opened
    /// for (kernel/events/core.c, `perf_event_set_bpf_prog`).
    pub(in crate::kernel) fn attach_to(&mut self, tracepoint: u64) -> io::Result<()> {
        let mut builder = Builder::new(Tracepoint::with_id(tracepoint));
        builder.any_pid().one_cpu(0).include_kernel().enabled(false);
        let _raised = elevation::raised(elevation::KERNEL);
        let mut event = builder.build()?;
        event.set_bpf(self.fd()?.as_raw_fd())?;
        event.enable()?;
        self.hook = Some(Hook::Event { _event: event });
        Ok(())
    }

    /// Runs a program of raw tracepoints, on a CPU or on any.
    pub(in crate::kernel) fn run(&self, cpu: Option<u32>) -> io::Result<()> {
        // Programs may look at twelve arguments (`MAX_BPF_FUNC_ARGS`).
        bpf::run(self.fd()?, &[0; 12], cpu).map(drop)
    }

    /// What the kernel counted of it (proc_pid_fdinfo(5) and
    /// `bpf_prog_show_fdinfo` of kernel/bpf/syscall.c; since Linux 5.12).
    pub(in crate::kernel) fn runs(&self) -> Option<Runs> {
        let fd = self.fd().ok()?.as_raw_fd();
        // Root's before Linux 5.14, where eprof's file has privileges.
        let _raised = elevation::raised(elevation::READ);
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
        Some(runs(&text))
    }
}

fn encode(instruction: &aya_obj::generated::bpf_insn) -> [u8; INSTRUCTION] {
    let (to, from) = (instruction.dst_reg(), instruction.src_reg());
    bpf::instruction(instruction.code, to, from, instruction.off, instruction.imm)
}

fn runs(text: &str) -> Runs {
    let number = |name: &str| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(0)
    };
    Runs {
        time: number("run_time_ns"),
        count: number("run_cnt"),
        missed: number("recursion_misses"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_name() {
        // From Linux 6.18.
        let text = "pos:\t0\nflags:\t02000002\nprog_type:\t26\nprog_jited:\t1\n\
            memlock:\t8192\nrun_time_ns:\t4242\nrun_cnt:\t17\nrecursion_misses:\t3\n\
            verified_insns:\t331\n";
        let expected = Runs {
            time: 4242,
            count: 17,
            missed: 3,
        };
        assert_eq!(runs(text), expected);
        assert_eq!(runs(""), Runs::default());
        assert_eq!(runs("run_cnt:\tx\n"), Runs::default());
    }
}
