//! What is on a claim: session folders, leftovers of removals, and what is neither. Reads only.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::Stat;

use super::decide::{Folder, Life, Product};
use super::remove::{HIDDEN, hidden};
use crate::session::folder::{Beneath, FolderError, SessionDir, SessionPath};
use crate::session::request::Destination;

/// Entries of one folder that are looked at; more in one is not of panorec's making.
const ENTRIES: usize = 1 << 20;
/// The folder of ext4 that every such volume has.
const LOST_AND_FOUND: &str = "lost+found";

/// The root of a claim.
#[derive(Debug)]
pub struct Claim {
    pub(super) root: Beneath,
}

/// What there is on a claim.
#[derive(Debug, Default)]
pub struct Scan {
    pub sessions: Vec<SessionPath>,
    /// Where a removal was broken off: the folder and the hidden name in it.
    pub leftovers: Vec<(PathBuf, String)>,
    /// What is no session; relative paths.
    pub foreign: Vec<PathBuf>,
    /// The folders `<namespace>` and `<namespace>/<name>`.
    pub holders: BTreeSet<PathBuf>,
}

impl Claim {
    /// Opens the root; links in `path` are followed, for it is the caller's own word.
    ///
    /// # Errors
    /// What the file system gives.
    pub fn open(path: &Path) -> Result<Claim, FolderError> {
        let path = std::path::absolute(path).map_err(|error| FolderError::io("find", path, error))?;
        Ok(Claim { root: Beneath::open(&path)? })
    }

    /// Looks at the names on the claim, of one namespace or of all; nothing in a session is read.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn scan(&self, namespace: Option<&str>) -> Result<Scan, FolderError> {
        let mut scan = Scan::default();
        let namespaces = match namespace {
            Some(namespace) if !self.root.has(namespace)? => Vec::new(),
            Some(namespace) => vec![namespace.to_owned()],
            None => sorted(&self.root)?,
        };
        for namespace in namespaces.iter().filter(|name| *name != LOST_AND_FOUND) {
            let Some(folder) = self.holder(&mut scan, Path::new(namespace))? else { continue };
            for name in sorted(&folder)? {
                let path = Path::new(namespace).join(&name);
                let Some(folder) = self.holder(&mut scan, &path)? else { continue };
                for uid in sorted(&folder)? {
                    self.session(&mut scan, &path, uid)?;
                }
            }
        }
        Ok(scan)
    }

    /// A folder that holds others, if it can be one by its name and kind.
    fn holder(&self, scan: &mut Scan, path: &Path) -> Result<Option<Beneath>, FolderError> {
        // Only a name can be wrong in it.
        const ANY: &str = "00000000-0000-0000-0000-000000000000";
        let rest = if path.components().count() == 1 { format!("any/{ANY}") } else { ANY.to_owned() };
        let fits = format!("{}/{rest}", path.display()).parse::<SessionPath>().is_ok();
        let folder = if fits { folder_or_foreign(&self.root, path)? } else { None };
        match folder {
            Some(_) => drop(scan.holders.insert(path.to_owned())),
            None => scan.foreign.push(path.to_owned()),
        }
        Ok(folder)
    }

    fn session(&self, scan: &mut Scan, holder: &Path, name: String) -> Result<(), FolderError> {
        let (plain, is_leftover) = match name.strip_prefix(HIDDEN) {
            Some(plain) => (plain, true),
            None => (name.as_str(), false),
        };
        let parsed = format!("{}/{plain}", holder.display()).parse::<SessionPath>().ok();
        match (parsed, folder_or_foreign(&self.root, &holder.join(&name))?) {
            (Some(_), Some(_)) if is_leftover => scan.leftovers.push((holder.to_owned(), name)),
            (Some(session), Some(_)) => scan.sessions.push(session),
            _ => scan.foreign.push(holder.join(name)),
        }
        Ok(())
    }

    /// Looks at a session's folder.
    ///
    /// # Errors
    /// What the file system gives. What a page may have put into the recorder's half is none.
    pub(super) fn look(&self, path: &SessionPath) -> Result<Folder, FolderError> {
        let root = self.root.folder(path.to_string())?;
        let session = SessionDir::open_halves(root.path())?;
        let life = if believed(session.recorder_is_alive())?.unwrap_or(false) {
            Life::Recorder
        } else if believed(session.publisher_is_alive())?.unwrap_or(false) {
            Life::Publisher
        } else {
            Life::None
        };
        let product = match believed(session.delivery().map(|delivery| delivery.destination))? {
            Some(Destination::Folder { .. } | Destination::S3(_) | Destination::Vod(_)) => Product::Elsewhere,
            Some(Destination::Session) | None => Product::Here,
        };
        Ok(Folder {
            life,
            ended: ended(&root)?,
            last_sign: last_sign(&root)?,
            product,
            has_parts: has_any(&root, "recorder", "parts")?,
            has_output: has_any(&root, "publisher", "output")?,
        })
    }
}

fn sorted(folder: &Beneath) -> Result<Vec<String>, FolderError> {
    let mut names = folder.names(ENTRIES)?;
    names.sort_unstable();
    Ok(names)
}

/// None: it is a link, a file, or gone.
fn folder_or_foreign(root: &Beneath, path: &Path) -> Result<Option<Beneath>, FolderError> {
    believed(root.folder(path))
}

/// None for what is not there, and for what is not as panorec makes it: nothing of ours lives in
/// that, and a page that broke out of its browser must not keep its folder forever by it.
fn believed<T>(result: Result<T, FolderError>) -> Result<Option<T>, FolderError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(FolderError::Io { what, path, source }) => Err(FolderError::Io { what, path, source }),
        Err(error) => {
            tracing::debug!(%error, "not what panorec makes");
            Ok(None)
        }
    }
}

/// When the result was written, last.
fn ended(session: &Beneath) -> Result<Option<Timestamp>, FolderError> {
    let Some(publisher) = believed(session.folder("publisher"))? else { return Ok(None) };
    let Some(file) = believed(publisher.file("result.json"))? else { return Ok(None) };
    changed(&publisher, &file).map(Some)
}

/// When a journal was written to, or a file made, last.
fn last_sign(session: &Beneath) -> Result<Timestamp, FolderError> {
    let mut last = folder_changed(session)?;
    for half in ["recorder", "publisher"] {
        for inner in [half.to_owned(), format!("{half}/runs")] {
            if let Some(folder) = believed(session.folder(inner))? {
                last = last.max(folder_changed(&folder)?);
            }
        }
        let Some(runs) = believed(session.folder(format!("{half}/runs")))? else { continue };
        for run in believed(runs.names(ENTRIES))?.unwrap_or_default() {
            if let Some(journal) = believed(runs.file(format!("{run}/journal.jsonl")))? {
                last = last.max(changed(&runs, &journal)?);
            }
        }
    }
    Ok(last)
}

/// Whether anything is in a folder, or left of a removal of it.
fn has_any(session: &Beneath, half: &str, name: &str) -> Result<bool, FolderError> {
    let Some(half) = believed(session.folder(half))? else { return Ok(false) };
    if half.has(hidden(name))? {
        return Ok(true);
    }
    match half.folder(name).and_then(|folder| folder.names(1)) {
        Ok(names) => Ok(!names.is_empty()),
        Err(FolderError::TooMany { .. }) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error @ FolderError::Io { .. }) => Err(error),
        // A link, say: it goes as it is.
        Err(_) => Ok(true),
    }
}

fn folder_changed(folder: &Beneath) -> Result<Timestamp, FolderError> {
    let stat = rustix::fs::fstat(folder.fd()).map_err(|error| FolderError::io("look at", folder.path(), error))?;
    Ok(time_of(&stat))
}

fn changed(folder: &Beneath, file: &File) -> Result<Timestamp, FolderError> {
    let stat = rustix::fs::fstat(file).map_err(|error| FolderError::io("look into", folder.path(), error))?;
    Ok(time_of(&stat))
}

/// When the content was changed. Whoever may write can set that time to one to come, but not the
/// time of that; which in turn changes with the owner, as Kubernetes sets it on volumes.
fn time_of(stat: &Stat) -> Timestamp {
    let at = |seconds: i64, nanoseconds: u64| Timestamp::new(seconds, nanoseconds as i32).unwrap_or(Timestamp::MAX);
    at(stat.st_mtime, stat.st_mtime_nsec).min(at(stat.st_ctime, stat.st_ctime_nsec))
}
