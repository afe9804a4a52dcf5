//! Doing something as the user whom files belong to.
//!
//! A short-lived thread takes on the user's file-system identity. Where there can
//! be no thread (`pids.max`, `ulimit -u`), the calling one takes it on and puts its
//! own back: that identity belongs to a thread alone.

use std::io::{self, ErrorKind};
use std::thread::Builder;

use nix::unistd::{Gid, Uid, getgroups, setfsgid, setfsuid};

use super::credentials::set_groups;
use super::user::UserId;

/// Does `work` with the file-system identity of `owner`, in a thread of its
/// own; with eprof's where there is no owner.
pub(super) fn as_owner<T: Send>(
    owner: Option<&UserId>,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let Some(owner) = owner else {
        return work();
    };
    // What is not done by the thread is left for this one.
    let mut work = Some(work);
    let mut result = None;
    std::thread::scope(|scope| {
        let (work, result) = (&mut work, &mut result);
        let worker = Builder::new().spawn_scoped(scope, move || {
            *result = work.take().map(|work| {
                become_owner(owner)?;
                work()
            });
        });
        // One that panicked has left no result.
        worker.map(|worker| worker.join().is_ok())
    })
    .unwrap_or(false);
    match (result, work) {
        (Some(result), _) => result,
        (None, Some(work)) => for_a_while(owner, work),
        (None, None) => Err(io::Error::other("the writing thread failed")),
    }
}

/// Does `work` as `owner` in this thread, which is itself again afterwards.
fn for_a_while<T>(owner: &UserId, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let groups: Vec<u32> = getgroups()?.into_iter().map(Gid::as_raw).collect();
    // These calls return what was in force before, and change nothing for an id that
    // there is not.
    let (user, group) = (
        setfsuid(Uid::from_raw(u32::MAX)),
        setfsgid(Gid::from_raw(u32::MAX)),
    );
    let done = become_owner(owner).and_then(|()| work());
    setfsuid(user);
    setfsgid(group);
    set_groups(&groups)?;
    done
}

fn become_owner(owner: &UserId) -> io::Result<()> {
    set_groups(&owner.groups)?;
    let (user, group) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    setfsgid(group);
    setfsuid(user);
    // These calls return no error, but what was in force before.
    if setfsgid(group) == group && setfsuid(user) == user {
        Ok(())
    } else {
        Err(io::Error::from(ErrorKind::PermissionDenied))
    }
}
