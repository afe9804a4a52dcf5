//! Handing files from one process to the other, by a socket: a message *is* files
//! (unix(7), `SCM_RIGHTS`). What is to be said is in the first one.
#![expect(unsafe_code, reason = "a received descriptor is nobody else's")]

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message that is read, in bytes.
const LONGEST: u64 = 1 << 30;

/// The most files of one message.
const MOST_FILES: usize = 2;

/// `message` in a file.
///
/// # Errors
///
/// Memory or a descriptor that cannot be had.
pub(super) fn pack(message: &impl Serialize) -> io::Result<File> {
    let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
    let mut file = File::from(memfd_create("message", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(&bytes)?;
    file.rewind()?;
    Ok(file)
}

/// What [`pack`] put into `file`.
///
/// # Errors
///
/// Where that is something else.
pub(crate) fn unpack<T: DeserializeOwned>(file: File) -> io::Result<T> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    postcard::from_bytes(&bytes).map_err(io::Error::other)
}

/// Sends `files` by `socket`, and does not wait: it is for a few small messages to
/// somebody who reads.
///
/// # Errors
///
/// Where nobody reads, or not in time.
pub(super) fn send(socket: &impl AsFd, files: &[&File]) -> io::Result<()> {
    let files: Vec<RawFd> = files.iter().map(|file| file.as_raw_fd()).collect();
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    let data = [IoSlice::new(b"!")];
    let rights = [ControlMessage::ScmRights(&files)];
    let socket = socket.as_fd().as_raw_fd();
    sendmsg::<UnixAddr>(socket, &data, &rights, flags, None)?;
    Ok(())
}

/// Waits for the next files; none where the other end is gone.
///
/// # Errors
///
/// What the kernel said.
pub(crate) fn receive(socket: &impl AsFd) -> io::Result<Vec<File>> {
    let mut byte = [0_u8];
    let mut data = [IoSliceMut::new(&mut byte)];
    let mut room = cmsg_space!([RawFd; MOST_FILES]);
    let socket = socket.as_fd().as_raw_fd();
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<UnixAddr>(socket, &mut data, Some(&mut room), flags)?;
    let mut files = Vec::new();
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(descriptors) = message {
            for descriptor in descriptors {
                // SAFETY: the kernel has just made the descriptor for this process, and
                // nothing else knows it.
                let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
                files.push(File::from(owned));
            }
        }
    }
    Ok(files)
}
