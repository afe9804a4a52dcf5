//! What code is mapped in a process by now: for one whose mappings were not
//! reported as they were made.

use std::fs;

use super::{Inode, Mapping};
use crate::clock;

/// The executable mappings of the process `pid`, as `/proc/PID/maps` lists them
/// (proc_pid_maps(5)); none where that cannot be read.
pub fn mapped(pid: u32) -> Vec<Mapping> {
    let text = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut mappings: Vec<_> = text.lines().filter_map(|line| parse(pid, line)).collect();
    // They take the place of all that was known.
    if let Some(first) = mappings.first_mut() {
        first.fresh = true;
    }
    mappings
}

/// `START-END PERMISSIONS OFFSET MAJOR:MINOR INODE   PATH`
fn parse(pid: u32, line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    if fields.next()?.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let offset = hex(fields.next()?)?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let device = libc::makedev(
        u32::from_str_radix(major, 16).ok()?,
        u32::from_str_radix(minor, 16).ok()?,
    );
    let number: u64 = fields.next()?.parse().ok()?;
    let path = fields.next().unwrap_or_default().trim_start();
    Some(Mapping {
        pid,
        at: clock::now(),
        start: hex(start)?,
        end: hex(end)?,
        offset,
        // As the kernel's own reports call it.
        path: if path.is_empty() { "//anon" } else { path }.to_owned(),
        build_id: None,
        inode: (number != 0).then_some(Inode {
            device,
            number,
            generation: 0,
        }),
        fresh: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_listed_and_paths_may_have_spaces() {
        let line = "00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/a b";
        let mapping = parse(7, line);
        let mapping = mapping.as_ref();
        let range = mapping.map(|of| (of.start, of.end));
        assert_eq!(range, Some((0x40_0000, 0x45_2000)));
        assert_eq!(mapping.map(|of| (of.pid, of.offset)), Some((7, 0x1000)));
        assert_eq!(mapping.map(|of| of.path.as_str()), Some("/usr/bin/a b"));
        let inode = mapping.and_then(|of| of.inode.map(|inode| inode.number));
        assert_eq!(inode, Some(173_521));
        assert!(parse(7, "7ff0-7ff1 rw-p 00000000 00:00 0 [stack]").is_none());
        let anonymous = parse(7, "7f00-7f01 rwxp 00000000 00:00 0 ");
        assert_eq!(anonymous.map(|of| of.path), Some("//anon".to_owned()));
        assert!(parse(7, "").is_none());
    }

    #[test]
    fn this_process_has_code_of_itself() {
        let mappings = mapped(std::process::id());
        assert!(mappings.first().is_some_and(|first| first.fresh));
        let here = this_process_has_code_of_itself as fn() as usize as u64;
        let own = mappings
            .iter()
            .find(|of| (of.start..of.end).contains(&here));
        let path = std::env::current_exe().unwrap_or_default();
        assert_eq!(own.map(|of| of.path.as_str()), path.to_str());
    }
}
