//! Go's own table of frame sizes: against the `.debug_frame` that Go's linker
//! makes beside it, and damaged.

use std::process::Command;
use std::sync::OnceLock;

use eprof::unwind::compile::Source;
use eprof::unwind::store::Store;
use eprof_common::Rule;
use gimli::{
    BaseAddresses, CfaRule, DebugFrame, LittleEndian, Register, UnwindContext, UnwindSection as _,
};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};
use proptest::prelude::*;

use crate::support::{GO_CACHE, skip};

/// A program by Go; `None` where there is no compiler.
fn program() -> Option<&'static Vec<u8>> {
    static PROGRAM: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let made = PROGRAM.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().join("program");
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/stacks/programs/chain.go"
        );
        let made = Command::new("go")
            .env("GOCACHE", GO_CACHE)
            .args(["build", "-ldflags=-compressdwarf=false", "-o"])
            .arg(&to)
            .arg(source)
            .output();
        made.is_ok_and(|made| made.status.success())
            .then(|| std::fs::read(to).unwrap())
    });
    if made.is_none() {
        skip("no Go compiler");
    }
    made.as_ref()
}

#[test]
#[cfg(target_arch = "x86_64")]
fn frame_sizes_are_those_of_debug_frame() {
    let Some(data) = program() else { return };
    let mut store = Store::new(None);
    let table = store.open(Box::new(data.clone())).unwrap();
    let file = object::File::parse(data.as_slice()).unwrap();
    let section = file.section_by_name(".debug_frame").unwrap();
    let section = section.data().unwrap();
    let mut frames = DebugFrame::new(section, LittleEndian);
    frames.set_address_size(8);
    let bases = BaseAddresses::default();
    let mut context = UnwindContext::new();
    let text = file.section_by_name(".text").unwrap();
    let symbols = functions(&file);
    let (mut compared, mut others) = (0, 0);
    for address in (text.address()..text.address() + text.size()).step_by(97) {
        let row = frames.unwind_info_for_address(
            &bases,
            &mut context,
            address,
            DebugFrame::cie_from_offset,
        );
        let Ok(row) = row else { continue };
        let rule = store.rule(&table, address - table.base());
        let allowed = elsewhere(&rule);
        if !allowed.is_empty() {
            let next = symbols.partition_point(|&(begin, _)| begin <= address);
            let name = symbols[next - 1].1;
            let name = name.strip_suffix(".abi0").unwrap_or(name);
            assert!(allowed.contains(&name), "{address:#x} in {name}: {rule:?}");
            others += 1;
            continue;
        }
        let CfaRule::RegisterAndOffset { register, offset } = row.cfa() else {
            panic!("{address:#x}: {row:?}");
        };
        // `debugCallV2` pretends to have a frame that no stack has room for; and
        // nothing is said of traps between functions.
        let pretends = *offset > 1 << 30;
        if pretends || rule.cfa != Rule::CFA_SP {
            let none = rule.cfa == Rule::NONE;
            let trap = data_at(&file, address) == Some(0xcc);
            assert!(none && (pretends || trap), "{address:#x}: {rule:?} {row:?}");
            continue;
        }
        assert_eq!(*register, Register(7), "{address:#x}");
        assert_eq!(i64::from(rule.cfa_offset), *offset, "{address:#x}");
        compared += 1;
    }
    assert!(compared > 3_000, "{compared} compared");
    assert!(others < 30, "{others} on another stack");
    let mut rule = |name: &str, at: u64| {
        let symbol = file.symbols().find(|symbol| symbol.name() == Ok(name));
        let address = symbol.unwrap().address();
        store.rule(&table, address + at - table.base())
    };
    assert_eq!(rule("runtime.goexit.abi0", 1).ra, Rule::RA_ROOT);
    assert_eq!(rule("runtime.sigreturn.abi0", 0).cfa, Rule::SIGNAL);
    assert_eq!(rule("main.delta", 0).cfa_offset, 8);
    // Before and after it has gone over to the scheduler's stack.
    assert_eq!(rule("runtime.systemstack.abi0", 0).cfa, Rule::CFA_SP);
    let switch = after_load(&file, "runtime.systemstack.abi0");
    assert_eq!(
        rule("runtime.systemstack.abi0", switch).cfa,
        Rule::CFA_SOUGHT
    );
    // The way back is known to the scheduler only: the stack says that it is broken.
    assert_eq!(rule("runtime.morestack.abi0", 0).cfa, Rule::CFA_SP);
    let switch = after_load(&file, "runtime.morestack.abi0");
    assert_eq!(
        rule("runtime.morestack.abi0", switch).cfa,
        Rule::UNSUPPORTED
    );
}

/// The functions that may have such a rule though `.debug_frame` has another: it knows of
/// one stack only, and is right up to where they go over to another.
#[cfg(target_arch = "x86_64")]
fn elsewhere(rule: &Rule) -> &'static [&'static str] {
    match rule.cfa {
        // Nobody calls these, or they leave a stack for good.
        _ if rule.ra == Rule::RA_ROOT => &[
            "_rt0_amd64",
            "_rt0_amd64_linux",
            "_rt0_amd64_lib",
            "runtime.clone",
            "runtime.goexit",
            "runtime.mcall",
            "runtime.mstart",
            "runtime.rt0_go",
        ],
        Rule::SIGNAL => &["runtime.sigreturn"],
        Rule::CFA_SOUGHT => &["runtime.systemstack"],
        // The last one until it has written down where it came from.
        Rule::UNSUPPORTED => &["gogo", "runtime.morestack", "runtime.asmcgocall"],
        Rule::CFA_SAVED | Rule::CFA_AT_SP => &["runtime.asmcgocall"],
        // Their own frame pointer stays.
        Rule::CFA_FP => &[
            "time.now",
            "runtime.nanotime1",
            "runtime.walltime",
            "runtime.sigfwd",
            "runtime.callCgoSigaction",
            "runtime.callCgoMmap",
            "runtime.callCgoMunmap",
        ],
        _ => &[],
    }
}

/// The functions of a program, by address.
#[cfg(target_arch = "x86_64")]
fn functions<'file>(file: &'file object::File<'file>) -> Vec<(u64, &'file str)> {
    let functions = file.symbols().filter(|one| one.kind() == SymbolKind::Text);
    let mut functions: Vec<_> = functions
        .filter_map(|one| Some((one.address(), one.name().ok()?)))
        .collect();
    functions.sort_unstable();
    functions
}

/// How far behind the beginning of a function its stack pointer was loaded first.
#[cfg(target_arch = "x86_64")]
fn after_load(file: &object::File<'_>, name: &str) -> u64 {
    let symbol = file.symbols().find(|symbol| symbol.name() == Ok(name));
    let begin = symbol.unwrap().address();
    // mov %rbx,%rsp; mov 0x38(%rbx),%rsp
    const LOADS: [&[u8]; 2] = [&[0x48, 0x89, 0xdc], &[0x48, 0x8b, 0x63, 0x38]];
    let code: Vec<u8> = (begin..begin + 256)
        .map(|address| data_at(file, address).unwrap())
        .collect();
    let load = |at: usize| LOADS.iter().find(|load| code[at..].starts_with(load));
    let found = (0..code.len()).find_map(|at| Some(at + load(at)?.len()));
    found.unwrap() as u64
}

/// The byte of code at an address.
fn data_at(file: &object::File<'_>, address: u64) -> Option<u8> {
    let section = file.section_by_name(".text")?;
    let place = usize::try_from(address.checked_sub(section.address())?).ok()?;
    section.data().ok()?.get(place).copied()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn damaged_tables_of_go(
        header in prop::collection::vec((0_usize..72, any::<u8>()), 0..3),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..400),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let Some(data) = program() else { return Ok(()) };
        let mut data = data.clone();
        let file = object::File::parse(data.as_slice()).unwrap();
        let (begin, size) = file.section_by_name(".gopclntab").unwrap().file_range().unwrap();
        for (index, byte) in damage {
            data[begin as usize + index.index(size as usize)] = byte;
        }
        for (index, byte) in header {
            data[begin as usize + index] = byte;
        }
        if let Some(length) = length {
            data.truncate(length.index(data.len()));
        }
        if let Some(mut source) = Source::open(Box::new(data)) {
            for number in (0..source.pages().min(64)).chain([u32::MAX]) {
                let rows = source.page(number);
                prop_assert_eq!(rows[0].0, 0, "something holds at the first byte");
                let sorted = rows.windows(2).all(|pair| pair[0].0 < pair[1].0);
                prop_assert!(sorted, "rows are in order");
            }
        }
    }
}
