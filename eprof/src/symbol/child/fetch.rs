//! The helper that asks debuginfod servers: the only one with a network.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use super::message::{Delivery, Wanted};
use crate::confine::{envelope, receive, unpack};
use crate::symbol::debuginfod::{Client, Failure, Settings};

/// Answers what is asked by `socket`, several at a time, until nobody asks.
pub(super) fn serve(
    socket: &File,
    settings: Settings,
    home: Option<&Path>,
    failures: Vec<Failure>,
) -> io::Result<()> {
    let home = home.map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
        Some(PathBuf::from(home))
    });
    let out = Arc::new(Mutex::new(socket.try_clone()?));
    let told = Arc::clone(&out);
    let told = Box::new(move |bytes| say(&told, &Delivery::Bytes(bytes)));
    let client = Client::new(settings, home.as_deref(), failures, told).map(Arc::new);
    loop {
        let Some(wanted) = receive(socket)?.into_iter().next() else {
            return Ok(());
        };
        let build_id: Wanted = unpack(wanted)?;
        let (client, out) = (client.clone(), Arc::clone(&out));
        let job = Arc::new(move || {
            let client = client.as_deref();
            say(
                &out,
                &Delivery::Done {
                    path: client.and_then(|client| client.debug_file(&build_id)),
                    build_id: build_id.clone(),
                    failures: client.map(Client::failures).unwrap_or_default(),
                },
            );
        });
        let in_thread = Arc::clone(&job);
        if thread::Builder::new().spawn(move || in_thread()).is_err() {
            job();
        }
    }
}

/// Where it cannot be said, nobody is there any more.
fn say(out: &Mutex<File>, delivery: &Delivery) {
    if let (Ok(mut out), Ok(bytes)) = (out.lock(), envelope(delivery)) {
        let _ = out.write_all(&bytes);
    }
}
