//! The stack of a thread as it is by now.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::IoSliceMut;

use eprof_common::WalkEnd;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::trampoline;

/// Bytes that are read at a time: no page of memory is smaller.
const PAGE: usize = 4096;

/// Most pages that are read of one stack.
const MOST_PAGES: usize = 256;

/// Memory of a process that goes on running. What is read of a stack may have
/// changed since the sample, so that it is good for one thing only: to know
/// which code the next samples will probably go through.
pub(super) struct Live {
    process: Pid,
    pages: RefCell<HashMap<u64, Option<Box<[u8; PAGE]>>>>,
}

impl Live {
    pub(super) fn of(process: u32) -> Option<Self> {
        let process = i32::try_from(process).ok().filter(|&process| process > 0)?;
        Some(Self {
            process: Pid::from_raw(process),
            pages: RefCell::default(),
        })
    }

    /// The kind of the trampoline at an address, if there is one.
    pub(super) fn trampoline(&self, address: u64) -> Option<trampoline::Kind> {
        let mut code = [0; trampoline::STEP];
        self.read_at(address, &mut code)?;
        trampoline::Kind::of(&code)
    }

    /// The word at an address.
    pub(super) fn word(&self, address: u64) -> Result<u64, WalkEnd> {
        let begin = address / PAGE as u64 * PAGE as u64;
        let mut pages = self.pages.borrow_mut();
        if !pages.contains_key(&begin) && pages.len() >= MOST_PAGES {
            return Err(WalkEnd::FAULT);
        }
        let page = pages.entry(begin).or_insert_with(|| self.read(begin));
        let place = (address - begin) as usize;
        page.as_ref()
            .and_then(|page| page.get(place..)?.first_chunk())
            .map(|word| u64::from_le_bytes(*word))
            .ok_or(WalkEnd::FAULT)
    }

    fn read(&self, begin: u64) -> Option<Box<[u8; PAGE]>> {
        let mut page = Box::new([0; PAGE]);
        self.read_at(begin, &mut *page)?;
        Some(page)
    }

    fn read_at(&self, begin: u64, to: &mut [u8]) -> Option<()> {
        let length = to.len();
        let remote = RemoteIoVec {
            base: usize::try_from(begin).ok()?,
            len: length,
        };
        let mut local = [IoSliceMut::new(to)];
        let read = process_vm_readv(self.process, &mut local, &[remote]);
        (read == Ok(length)).then_some(())
    }
}
