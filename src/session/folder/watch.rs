//! Waiting for a change in a folder.

use std::path::Path;
use std::time::Duration;

use inotify::{Inotify, WatchMask};
use tokio::io::unix::AsyncFd;

/// Network file systems tell of no change; so somebody looks at least this often.
const AT_LEAST: Duration = Duration::from_secs(1);

/// Watches folders for files that are written, made or put there.
pub struct FolderWatch {
    // None where the kernel has no watch left: then time alone wakes.
    inotify: Option<AsyncFd<Inotify>>,
}

impl FolderWatch {
    /// Watches `folder`.
    pub fn new(folder: &Path) -> FolderWatch {
        let inotify = Inotify::init().and_then(|inotify| {
            // SAFETY: `Inotify` owns its descriptor, and nothing closes or replaces it while the
            // AsyncFd holds it.
            Ok(unsafe { AsyncFd::register(inotify)? })
        });
        if let Err(error) = &inotify {
            tracing::warn!(%error, "changes are noticed once a second only");
        }
        let watch = FolderWatch { inotify: inotify.ok() };
        watch.add(folder);
        watch
    }

    /// Watches another folder too; one that is watched already stays so.
    pub fn add(&self, folder: &Path) {
        let mask = WatchMask::MODIFY | WatchMask::CREATE | WatchMask::MOVED_TO;
        if let Some(inotify) = &self.inotify
            && let Err(error) = inotify.get_ref().watches().add(folder, mask)
        {
            tracing::warn!(%error, folder = %folder.display(), "cannot be watched");
        }
    }

    /// Waits until something changed, or a second has passed.
    pub async fn changed(&mut self) {
        let Some(inotify) = &mut self.inotify else {
            return tokio::time::sleep(AT_LEAST).await;
        };
        let changed = async {
            loop {
                let Ok(mut ready) = inotify.readable_mut().await else {
                    return std::future::pending().await;
                };
                let read = ready.try_io(|fd| {
                    let mut buffer = [0; 4096];
                    fd.get_mut().read_events(&mut buffer).map(drop)
                });
                if read.is_ok() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(AT_LEAST, changed).await;
    }
}
