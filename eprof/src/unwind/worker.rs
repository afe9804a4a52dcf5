//! Compiles tables beside everything else, so that the next border need not
//! wait for a large library.

use std::fs::File;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use object::ReadCache;

use super::compile::compile;
use super::store::Store;
use super::table::Table;
use crate::kernel::KernelTables;
use crate::recording::ObjectId;

/// What became of a file.
pub(super) enum Outcome {
    /// It has a table.
    Ready(Table),
    /// It has no unwind information.
    Without,
    /// There was no room for its table.
    Full,
}

/// One file that was dealt with.
pub(super) struct Done {
    pub(super) object: ObjectId,
    pub(super) outcome: Outcome,
    /// How long that took.
    pub(super) took: Duration,
    /// Bytes of rows of all files so far.
    pub(super) bytes: u64,
}

/// How many files are compiled at a time.
const THREADS: usize = 2;

/// Threads that compile one file after the other. They begin with the first
/// and end with the last.
pub(super) struct Worker {
    store: Option<Store>,
    requests: Option<Sender<(ObjectId, File)>>,
    results: Option<Receiver<Done>>,
    /// Requests that were not answered yet.
    open: usize,
}

impl Worker {
    pub(super) fn new(kernel: Option<KernelTables>) -> Self {
        Self {
            store: Some(Store::new(kernel)),
            requests: None,
            results: None,
            open: 0,
        }
    }

    /// Asks for the table of a file; `false` where there can be none.
    pub(super) fn request(&mut self, object: ObjectId, file: File) -> bool {
        if let Some(store) = self.store.take() {
            let (requests, next) = channel();
            let (done, results) = channel();
            let shared = Arc::new((Mutex::new(store), Mutex::new(next)));
            for _ in 0..THREADS {
                let (shared, done) = (Arc::clone(&shared), done.clone());
                let thread = std::thread::Builder::new().name("eprof-tables".to_owned());
                if thread
                    .spawn(move || run(&shared.0, &shared.1, &done))
                    .is_ok()
                {
                    self.requests = Some(requests.clone());
                }
            }
            self.results = Some(results);
        }
        let sent = self
            .requests
            .as_ref()
            .is_some_and(|requests| requests.send((object, file)).is_ok());
        self.open += usize::from(sent);
        sent
    }

    /// What was finished since the last time. Waits for the next one if asked
    /// to, and there is one to wait for.
    pub(super) fn finished(&mut self, wait: bool) -> Vec<Done> {
        let Some(results) = &self.results else {
            return Vec::new();
        };
        let first = if wait && self.open > 0 {
            results.recv().ok()
        } else {
            None
        };
        let done: Vec<_> = first.into_iter().chain(results.try_iter()).collect();
        self.open = self.open.saturating_sub(done.len());
        done
    }

    /// Whether something is still to come.
    pub(super) fn is_busy(&self) -> bool {
        self.open > 0
    }
}

fn run(store: &Mutex<Store>, next: &Mutex<Receiver<(ObjectId, File)>>, done: &Sender<Done>) {
    loop {
        let request = next.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((object, file)) = request else { return };
        let begin = Instant::now();
        let compiled = compile(&ReadCache::new(file));
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match compiled {
            None => Outcome::Without,
            Some(compiled) => match store.add(&compiled) {
                Some(table) => Outcome::Ready(table),
                None => Outcome::Full,
            },
        };
        let answer = Done {
            object,
            outcome,
            took: begin.elapsed(),
            bytes: store.bytes(),
        };
        if done.send(answer).is_err() {
            return;
        }
    }
}
