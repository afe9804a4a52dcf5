//! gimli's own search by address must say what the compiled table says.

use eprof::unwind::compile::Source;
use eprof::unwind::store::Store;
use eprof_common::Rule;
use gimli::{BaseAddresses, CfaRule, EhFrame, LittleEndian, Register, RegisterRule};
use gimli::{UnwindContext, UnwindSection as _};
use object::{Object as _, ObjectSection as _};

use crate::support::skip;

/// Numbers of the registers: stack pointer, frame pointer, return address.
const REGISTERS: (Register, Register, Register) = if cfg!(target_arch = "aarch64") {
    (Register(31), Register(29), Register(30))
} else {
    (Register(7), Register(6), Register(16))
};

/// Looks up addresses all over the code of `path`; gives how many it compared.
fn compare(path: &std::path::Path) -> usize {
    let data = std::fs::read(path).unwrap();
    let mut store = Store::new(None);
    let table = store.open(Box::new(data.clone())).unwrap();
    let file = object::File::parse(data.as_slice()).unwrap();
    let section = file.section_by_name(".eh_frame").unwrap();
    let mut frames = EhFrame::new(section.data().unwrap(), LittleEndian);
    frames.set_address_size(8);
    let text = file.section_by_name(".text").unwrap();
    let bases = BaseAddresses::default()
        .set_eh_frame(section.address())
        .set_text(text.address());
    let (sp, fp, ra) = REGISTERS;
    let mut context = UnwindContext::new();
    let mut compared = 0;
    let step = (text.size() / 500).max(1);
    for address in (text.address()..text.address() + text.size()).step_by(step as usize) {
        let row =
            frames.unwind_info_for_address(&bases, &mut context, address, EhFrame::cie_from_offset);
        let rule = store.rule(&table, address - table.base());
        let Ok(row) = row else { continue };
        if address == file.entry() || matches!(row.register(ra), Some(RegisterRule::Undefined)) {
            assert_eq!(rule.ra, Rule::RA_ROOT, "{address:#x}");
            continue;
        }
        if rule.ra == Rule::RA_ROOT {
            // The entry of the program, whatever is said of it.
            assert!(row.contains(file.entry()) || address.abs_diff(file.entry()) < 256);
            continue;
        }
        let CfaRule::RegisterAndOffset { register, offset } = row.cfa() else {
            continue;
        };
        let kind = match *register {
            register if register == sp => Rule::CFA_SP,
            register if register == fp => Rule::CFA_FP,
            _ => Rule::UNSUPPORTED,
        };
        if rule.cfa == Rule::SIGNAL {
            continue;
        }
        assert_eq!(rule.cfa, kind, "{address:#x}: {rule:?} {row:?}");
        if kind == Rule::UNSUPPORTED {
            continue;
        }
        assert_eq!(i64::from(rule.cfa_offset), *offset, "{address:#x}");
        let saved = match row.register(fp) {
            Some(RegisterRule::Offset(offset)) => Some(offset),
            _ => None,
        };
        let ours = (rule.fp == Rule::FP_AT_CFA).then_some(i64::from(rule.fp_offset));
        assert_eq!(ours, saved, "{address:#x}");
        compared += 1;
    }
    compared
}

#[test]
fn tables_say_what_the_unwind_information_says() {
    let own = std::env::current_exe().unwrap();
    assert!(compare(&own) > 300);
    let shell = std::fs::canonicalize("/bin/sh").unwrap();
    if !object::File::parse(&*std::fs::read(&shell).unwrap())
        .is_ok_and(|file| file.section_by_name(".eh_frame").is_some())
    {
        return skip("/bin/sh has no unwind information");
    }
    assert!(compare(&shell) > 100);
}

/// Functions are found by the linker's search table. Without its header, all
/// descriptions are listed; the pages must be the same.
#[test]
fn pages_are_the_same_by_search_and_by_list() {
    let libc = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libc = libc
        .lines()
        .find(|line| line.contains("libc.so.6"))
        .and_then(|line| line.split_whitespace().nth(5))
        .map(std::path::PathBuf::from);
    for path in libc.into_iter().chain([std::env::current_exe().unwrap()]) {
        let mut data = std::fs::read(&path).unwrap();
        let file = object::File::parse(data.as_slice()).unwrap();
        let header = file.section_by_name(".eh_frame_hdr").unwrap();
        let (begin, _) = header.file_range().unwrap();
        let mut searched = Source::open(Box::new(data.clone())).unwrap();
        // Its version.
        assert_eq!(data[begin as usize], 1);
        data[begin as usize] = 77;
        let mut listed = Source::open(Box::new(data)).unwrap();
        assert!(searched.pages() > 10);
        assert_eq!(searched.pages(), listed.pages());
        for number in 0..searched.pages() {
            let (searched, listed) = (searched.page(number), listed.page(number));
            let differ = searched.iter().zip(&listed).position(|(a, b)| a != b);
            assert_eq!(differ, None, "{}: page {number}", path.display());
            assert_eq!(searched.len(), listed.len());
        }
    }
}
