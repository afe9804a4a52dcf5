//! Reading ahead on a thread of its own.

use std::fmt;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// So many items are handed over at a time: to wake a thread up takes as long
/// as to read some hundred samples. While one batch is used, the next is being read.
const BATCH: usize = 4;

/// A batch ends with the item by which it weighs so much: an interval may have
/// megabytes of samples.
const HEAVY: usize = 32 << 10;

/// The items, of some `weight`, made by another thread, which begins at once; after the last
/// comes `None`. Without that, the thread did not come to the end. Where there can
/// be no other thread, they are made when they are asked for.
pub(super) fn prefetch<I>(items: I, weight: fn(&I::Item) -> usize) -> Prefetch<I::Item>
where
    I: Iterator + Send + 'static,
    I::Item: Send + 'static,
{
    let (sender, batches) = sync_channel(0);
    // A thread that cannot be started takes what it was to do with it.
    let items = Arc::new(Mutex::new(Some(items)));
    let taken = Arc::clone(&items);
    let take =
        |items: &Mutex<Option<I>>| items.lock().unwrap_or_else(PoisonError::into_inner).take();
    let reader = thread::Builder::new().name("eprof-read".to_owned());
    let started = reader.spawn(move || {
        let mut items = take(&taken).into_iter().flatten().map(Some).chain([None]);
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            let mut heavy = 0;
            while batch.len() < BATCH
                && heavy < HEAVY
                && let Some(item) = items.next()
            {
                heavy += item.as_ref().map_or(0, weight);
                batch.push(item);
            }
            // At the end, or nobody wants the rest.
            if batch.is_empty() || sender.send(batch).is_err() {
                break;
            }
        }
    });
    if started.is_err()
        && let Some(items) = take(&items)
    {
        return Prefetch::Here(Box::new(items.map(Some).chain([None])));
    }
    Prefetch::Ahead {
        batch: Vec::new().into_iter(),
        batches,
    }
}

/// Items that another thread makes, or this one.
pub(super) enum Prefetch<T> {
    Ahead {
        batch: std::vec::IntoIter<Option<T>>,
        batches: Receiver<Vec<Option<T>>>,
    },
    Here(Box<dyn Iterator<Item = Option<T>> + Send>),
}

impl<T> fmt::Debug for Prefetch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ahead { .. } => "Ahead",
            Self::Here(_) => "Here",
        })
    }
}

impl<T> Iterator for Prefetch<T> {
    type Item = Option<T>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Ahead { batch, batches } => {
                if batch.len() == 0 {
                    *batch = batches.recv().ok()?.into_iter();
                }
                batch.next()
            }
            Self::Here(items) => items.next(),
        }
    }
}
