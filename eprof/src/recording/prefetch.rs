//! Reading ahead on a thread of its own.

use std::sync::mpsc::{Receiver, sync_channel};
use std::{io, thread};

/// So many items are handed over at a time: to wake a thread up takes as long
/// as to read some hundred samples. Another batch lies ready, a third is being
/// read. An interval may have megabytes of samples.
const BATCH: usize = 4;

/// The items, made by another thread, which begins at once; after the last
/// comes `None`. Without that, the thread did not come to the end.
///
/// # Errors
/// Where there can be no other thread.
pub(super) fn prefetch<I>(items: I) -> io::Result<Prefetch<I::Item>>
where
    I: Iterator + Send + 'static,
    I::Item: Send,
{
    let (sender, batches) = sync_channel(1);
    let reader = thread::Builder::new().name("eprof-read".to_owned());
    reader.spawn(move || {
        let mut items = items.map(Some).chain([None]);
        loop {
            let batch: Vec<_> = items.by_ref().take(BATCH).collect();
            // At the end, or nobody wants the rest.
            if batch.is_empty() || sender.send(batch).is_err() {
                break;
            }
        }
    })?;
    Ok(Prefetch {
        batch: Vec::new().into_iter(),
        batches,
    })
}

/// Items that another thread makes.
#[derive(Debug)]
pub(super) struct Prefetch<T> {
    batch: std::vec::IntoIter<Option<T>>,
    batches: Receiver<Vec<Option<T>>>,
}

impl<T> Iterator for Prefetch<T> {
    type Item = Option<T>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.len() == 0 {
            self.batch = self.batches.recv().ok()?.into_iter();
        }
        self.batch.next()
    }
}
