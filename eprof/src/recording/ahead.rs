//! Reading ahead on a thread of its own.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// So many items are read before they are asked for. An interval may have
/// megabytes of samples.
const AHEAD: usize = 4;

/// The items, made by another thread, which begins at once; `None` after the
/// last. Without that, the thread did not come to the end.
///
/// # Errors
/// Where there can be no other thread.
pub(super) fn ahead<I>(items: I) -> io::Result<Receiver<Option<I::Item>>>
where
    I: Iterator + Send + 'static,
    I::Item: Send,
{
    let (sender, receiver) = sync_channel(AHEAD);
    let reader = thread::Builder::new().name("eprof-read".to_owned());
    reader.spawn(move || {
        let items = items.map(Some).chain([None]);
        for item in items {
            // Nobody wants the rest.
            if sender.send(item).is_err() {
                break;
            }
        }
    })?;
    Ok(receiver)
}
