//! What is said of a program that the kernel's verifier refuses.

use std::fs::{self, File};
use std::path::Path;

use eprof::error::ErrorKind;
use eprof::kernel::{Probe, Settings, VerifierLog};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use tempfile::NamedTempFile;

use super::bench::{both, skip, turn};

/// Bytes of an instruction.
const INSTRUCTION: usize = 8;

/// `r0 = *(u64 *)(r0 + 0)` (Documentation/bpf/standardization/instruction-set.rst):
/// at the beginning of a program, nothing is in
/// `r0` yet.
const READS_NOTHING: [u8; INSTRUCTION] = [0x79, 0, 0, 0, 0, 0, 0, 0];

/// What the verifier says of it (kernel/bpf/verifier.c, `check_reg_arg`).
const REASON: &str = "R0 !read_ok";

/// The committed object, but for an instruction of `program`: the one at `place`
/// of those given.
fn broken(program: &str, place: impl Fn(&[u8]) -> usize) -> NamedTempFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpf/eprof.bpf.o");
    let mut bytes = fs::read(path).unwrap();
    let file = object::File::parse(bytes.as_slice()).unwrap();
    let symbol = file.symbol_by_name(program).unwrap();
    let section = file.section_by_index(symbol.section_index().unwrap());
    let (begin, _) = section.unwrap().file_range().unwrap();
    let begin = usize::try_from(begin + symbol.address()).unwrap();
    let end = begin + usize::try_from(symbol.size()).unwrap();
    let at = begin + INSTRUCTION * place(&bytes[begin..end]);
    bytes[at..at + INSTRUCTION].copy_from_slice(&READS_NOTHING);
    let object = NamedTempFile::new().unwrap();
    fs::write(&object, bytes).unwrap();
    object
}

fn first(_: &[u8]) -> usize {
    0
}

/// `exit`, where `r0` is the program's answer: a number.
fn exit(instructions: &[u8]) -> usize {
    let mut all = instructions.chunks_exact(INSTRUCTION);
    all.position(|one| one == [0x95, 0, 0, 0, 0, 0, 0, 0])
        .unwrap()
}

/// Settings to load `object` with the verifier's log in `log`.
fn settings(object: &NamedTempFile, log: &NamedTempFile) -> Settings {
    Settings {
        object: Some(object.path().to_owned()),
        verifier_log: Some(VerifierLog::new(File::create(log).unwrap())),
        ..Settings::default()
    }
}

#[test]
fn the_verifiers_reason_is_in_the_error_and_all_of_its_log_in_the_file() {
    let Some(_turn) = turn() else { return };
    let (object, log) = (broken("introduce", first), NamedTempFile::new().unwrap());
    for settings in both(&settings(&object, &log)) {
        let error = Probe::load(&settings).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        let text = error.to_string();
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(first.contains("introduce: "), "{text}");
        assert!(first.contains(REASON), "{text}");
        assert!(rest.starts_with("the last lines of the verifier's log:\n"));
        assert!(rest.ends_with(&format!("\n  {REASON}")), "{text}");
        // The instruction itself, as the verifier writes it.
        assert!(rest.contains("(79) r0 = *(u64 *)(r0 +0)"), "{text}");
        let log = fs::read_to_string(&log).unwrap();
        assert!(log.starts_with("program introduce:\n"), "{log}");
        assert!(log.contains(REASON), "{log}");
        // Its last line, which says nothing of the reason, is not in the error.
        assert!(log.contains("\nprocessed "), "{log}");
        assert!(!text.contains("processed "), "{text}");
    }
}

/// The next best program takes samples, and the reason is in the caveat.
#[test]
fn a_sampling_program_that_is_refused_is_replaced_and_the_reason_told() {
    let Some(_turn) = turn() else { return };
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return skip("the kernel has no type information");
    }
    let (object, log) = (
        broken("sample_tables", first),
        NamedTempFile::new().unwrap(),
    );
    let mut probe = Probe::load(&settings(&object, &log)).unwrap();
    let caveats = probe.caveats();
    let caveat = caveats.iter().find(|caveat| caveat.code == "stack-copies");
    let text = &caveat.unwrap().sentence;
    assert!(text.contains(REASON), "{text}");
    assert!(!text.contains('\n'), "{text}");
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.starts_with("program sample_tables:\n"), "{log}");
    assert!(log.contains(REASON), "{log}");
}

/// A log that does not fit into the first room for it is asked for again.
#[test]
fn a_long_log_is_whole() {
    const FIRST_ROOM: usize = 4 << 10;
    let Some(_turn) = turn() else { return };
    let (object, log) = (broken("flush", exit), NamedTempFile::new().unwrap());
    let error = Probe::load(&settings(&object, &log)).err().unwrap();
    assert!(
        error.to_string().contains("R0 invalid mem access"),
        "{error}"
    );
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.len() > FIRST_ROOM, "{log}");
    assert!(log.starts_with("program flush:\n"), "{log}");
    assert!(log.contains("\n0: (85) call "), "{log}");
    assert!(log.contains("\nR0 invalid mem access"), "{log}");
}
