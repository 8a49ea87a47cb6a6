//! The JSON documents of a session: written once, or replaced as a whole.

use std::io::Write;
use std::path::Path;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::beneath::Beneath;
use super::error::FolderError;
use super::limits;
use super::read::if_there;
use crate::session::intent::{Intent, IntentState};
use crate::session::stream::ToldIntent;

/// Reads and checks a document beneath `root`.
pub(super) fn read<T: DeserializeOwned>(root: &Beneath, relative: &str) -> Result<T, FolderError> {
    let bytes = root.read(relative, limits::DOCUMENT_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|error| FolderError::BadDocument {
        path: root.path_of(relative),
        why: error.to_string().chars().take(200).collect(),
    })
}

/// Whether a document may be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overwrite {
    Refuse,
    Allow,
}

/// Writes a document so that a reader, or a crash, finds it whole or not at all.
pub(super) fn write(
    folder: &Beneath,
    name: &str,
    document: &impl Serialize,
    how: Overwrite,
) -> Result<(), FolderError> {
    let path = folder.path_of(name);
    let failed = |error: std::io::Error| FolderError::io("write", &path, error);
    let bytes = json(document).map_err(failed)?;

    let fresh = format!(".{name}.new-{}", std::process::id());
    let _ = rustix::fs::unlinkat(folder.fd(), &fresh, AtFlags::empty());
    let mut file = folder.create_new(&fresh, OFlags::WRONLY)?;
    let written = file
        .write_all(&bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| put(folder, &fresh, name, how).map_err(Into::into));
    if let Err(error) = written {
        let _ = rustix::fs::unlinkat(folder.fd(), &fresh, AtFlags::empty());
        return Err(failed(error));
    }
    folder.sync()
}

/// Writes a document that nobody reads yet, and does not wait for the disk.
pub(super) fn draft(folder: &Beneath, name: &str, document: &impl Serialize) -> Result<(), FolderError> {
    let path = folder.path_of(name);
    let failed = |error: std::io::Error| FolderError::io("write", &path, error);
    folder.create_new(name, OFlags::WRONLY)?.write_all(&json(document).map_err(failed)?).map_err(failed)
}

fn json(document: &impl Serialize) -> Result<Vec<u8>, std::io::Error> {
    let mut bytes = serde_json::to_vec_pretty(document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn put(folder: &Beneath, fresh: &str, name: &str, how: Overwrite) -> Result<(), Errno> {
    let fd = folder.fd();
    if how == Overwrite::Allow {
        return rustix::fs::renameat(fd, fresh, fd, name);
    }
    match rustix::fs::renameat_with(fd, fresh, fd, name, RenameFlags::NOREPLACE) {
        // Some network file systems cannot do it in one; a half has one writer anyway.
        Err(Errno::INVAL | Errno::NOSYS) => match folder.has(name) {
            Ok(false) => rustix::fs::renameat(fd, fresh, fd, name),
            _ => Err(Errno::EXIST),
        },
        result => result,
    }
}

/// The told intent: `publisher/intent.json`.
pub(super) const INTENT: &str = "intent.json";

/// Reads the told intent; None: nothing has been told.
pub(super) fn intent(root: &Beneath) -> Result<Option<Intent>, FolderError> {
    if_there(read(root, &format!("publisher/{INTENT}")))
}

/// The told intent, with the generation of the resource it was read from; local ones have none.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    generation: u64,
    #[serde(flatten)]
    intent: Intent,
}

/// Reads the told intent with its generation.
pub(super) fn told(root: &Beneath) -> Result<Option<ToldIntent>, FolderError> {
    let kept: Option<Kept> = if_there(read(root, &format!("publisher/{INTENT}")))?;
    Ok(kept.map(|Kept { generation, intent }| ToldIntent { generation, intent }))
}

/// Keeps what was told.
pub(super) fn keep(publisher: &Beneath, told: &ToldIntent) -> Result<(), FolderError> {
    let kept = Kept { generation: told.generation, intent: told.intent.clone() };
    write(publisher, INTENT, &kept, Overwrite::Allow)
}

/// Changes the told intent under a lock, so that no saying is lost to another.
pub(super) fn tell(publisher: &Beneath, change: impl FnOnce(Intent) -> Intent) -> Result<Intent, FolderError> {
    let _lock = lock(publisher, "intent.lock")?;
    let before = if_there(read(publisher, INTENT))?.unwrap_or_default();
    let after = change(before);
    write(publisher, INTENT, &after, Overwrite::Allow)?;
    Ok(after)
}

/// Holds the lock while the answer lives.
fn lock(folder: &Beneath, name: &str) -> Result<rustix::fd::OwnedFd, FolderError> {
    let failed = |error: Errno| FolderError::io("lock", folder.path_of(Path::new(name)), error);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(folder.fd(), name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    rustix::fs::flock(&fd, FlockOperation::LockExclusive).map_err(failed)?;
    Ok(fd)
}

/// What somebody says to a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saying {
    Be(IntentState),
    /// Reload the page; changes no state.
    Refresh,
}

impl Saying {
    /// The intent after this was said at `now`: always news.
    pub fn to(self, before: Intent, now: jiff::Timestamp) -> Intent {
        let (state, refresh) = match self {
            Saying::Be(state) => (state, before.refresh),
            Saying::Refresh => (before.state, before.refresh.saturating_add(1)),
        };
        // A reload keeps the revision: a raised one would say the state again, and so undo what
        // the page or the keyboard did since.
        let revision = match self {
            Saying::Be(_) => before.revision.saturating_add(1),
            Saying::Refresh => before.revision,
        };
        Intent { state, refresh, revision, at: Some(now) }
    }
}
