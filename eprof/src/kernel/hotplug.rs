//! CPUs that come online, as the kernel tells it (`device_online`, drivers/base/core.c).
//!
//! A CPU that goes offline loses the events that were opened on it, and does not get
//! them back when it comes again (`perf_event_exit_cpu_context`, kernel/events/core.c).
//! It may be away for a few milliseconds only, which no list of CPUs would show.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use crate::host::{Cpus, SysRoot};

/// The group to which the kernel itself speaks (netlink(7)).
const KERNEL: u32 = 1;

/// Longest message (`UEVENT_BUFFER_SIZE`, `include/linux/kobject.h`).
const MESSAGE: usize = 2048;

/// Whose messages these are.
const ONLINE: &[u8] = b"online@/devices/system/cpu/cpu";

/// Is told which CPUs come online.
#[derive(Debug)]
pub(super) struct Hotplug {
    /// `None` where the kernel tells nothing.
    socket: Option<OwnedFd>,
    /// Those that were online when the list was read last.
    listed: Vec<u32>,
}

impl Hotplug {
    /// From now on.
    pub(super) fn watch() -> Self {
        Self {
            socket: listen().ok(),
            listed: online(),
        }
    }

    /// Those that came online since the last time, ascending. Some of them may have been
    /// so before, and some may be offline again.
    pub(super) fn arrived(&mut self) -> BTreeSet<u32> {
        let mut arrived = BTreeSet::new();
        let Some(socket) = &self.socket else {
            return self.by_list();
        };
        let mut message = [0; MESSAGE];
        loop {
            match recv(socket.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => arrived.extend(cpu(message.get(..length).unwrap_or_default())),
                Err(Errno::EINTR) => {}
                // There were more messages than the kernel keeps.
                Err(Errno::ENOBUFS) => {
                    arrived.append(&mut self.by_list());
                    return arrived;
                }
                Err(_) => return arrived,
            }
        }
    }

    /// Those that the list has now and had not before.
    fn by_list(&mut self) -> BTreeSet<u32> {
        let now = online();
        let before = std::mem::replace(&mut self.listed, now);
        let now = self.listed.iter().copied();
        now.filter(|cpu| !before.contains(cpu)).collect()
    }
}

fn online() -> Vec<u32> {
    Cpus::read(&SysRoot::machine()).numbers()
}

fn listen() -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkKObjectUEvent,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL))?;
    Ok(socket)
}

/// Which CPU a message says to be online.
fn cpu(message: &[u8]) -> Option<u32> {
    let head = message.split(|byte| *byte == 0).next()?;
    let number = std::str::from_utf8(head.strip_prefix(ONLINE)?).ok()?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cpus_that_come_online_arrive() {
        let said = |text: &str| cpu(text.as_bytes());
        assert_eq!(
            said("online@/devices/system/cpu/cpu13\0ACTION=online\0SEQNUM=7\0"),
            Some(13)
        );
        assert_eq!(said("offline@/devices/system/cpu/cpu1\0"), None);
        assert_eq!(said("online@/devices/system/memory/memory1\0"), None);
        assert_eq!(said("online@/devices/system/cpu/cpu\0"), None);
        assert_eq!(said(""), None);
    }

    #[test]
    fn the_kernel_can_be_listened_to() {
        let mut hotplug = Hotplug::watch();
        assert!(hotplug.socket.is_some());
        assert_eq!(hotplug.arrived(), BTreeSet::new());
    }
}
