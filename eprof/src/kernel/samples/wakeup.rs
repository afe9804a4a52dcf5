//! The wakeup by the ring, when there is a sample that the kernel could not walk.

use std::os::fd::{AsFd as _, BorrowedFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Becomes readable when the ring's writer asks for it, not whenever there is anything
/// in the ring: most samples can wait.
#[derive(Debug)]
pub(in crate::kernel) struct RingWakeup(Epoll);

impl RingWakeup {
    /// That of a ring; `None` where there cannot be one, so that all samples
    /// wait.
    pub(in crate::kernel) fn of(ring: BorrowedFd<'_>) -> Option<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).ok()?;
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.add(ring, EpollEvent::new(flags, 0)).ok()?;
        Some(Self(epoll))
    }

    /// What becomes readable.
    pub(in crate::kernel) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }

    /// Makes it unreadable, until the next time; tells whether it was readable.
    pub(in crate::kernel) fn take(&self) -> bool {
        let woken = self.0.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO);
        woken.is_ok_and(|events| events > 0)
    }
}
