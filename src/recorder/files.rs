//! Waiting for a file by event.

use std::io;
use std::path::Path;

use futures::StreamExt;
use inotify::{Inotify, WatchMask};

/// Waits until the file is there. Its folder must be.
pub async fn appears(path: &Path) -> io::Result<()> {
    changes_until(path, || path.exists().then_some(())).await
}

/// Waits until `ready` gives a value, looking each time the file's folder changes.
pub async fn changes_until<T>(path: &Path, mut ready: impl FnMut() -> Option<T>) -> io::Result<T> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let inotify = Inotify::init()?;
    let mask = WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::CLOSE_WRITE | WatchMask::MODIFY;
    inotify.watches().add(folder, mask)?;
    let mut events = inotify.into_event_stream([0_u8; 4096])?;
    loop {
        if let Some(value) = ready() {
            return Ok(value);
        }
        match events.next().await {
            Some(event) => drop(event?),
            None => return Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}
