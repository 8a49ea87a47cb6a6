//! Taking a folder away: renamed first, so that a half-removed one is never taken for a session, and
//! then emptied without following a link.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use uuid::Uuid;

use crate::session::folder::{Beneath, FolderError};

/// What the hidden name of a folder begins with that is being removed.
pub(super) const HIDDEN: &str = ".removing-";
/// How many names of a folder are held at once.
const AT_ONCE: usize = 4096;

/// The name of `name` while it is being removed.
pub(super) fn hidden(name: &str) -> String {
    format!("{HIDDEN}{name}")
}

/// Removes `name` in `folder`, and what an earlier removal of it left.
///
/// # Errors
/// What the file system gives; the rest is done at the next run.
pub(super) fn take_away(folder: &Beneath, name: &str) -> Result<(), FolderError> {
    let hidden = hidden(name);
    finish(folder, &hidden)?;
    match rustix::fs::renameat(folder.fd(), name, folder.fd(), hidden.as_str()) {
        Ok(()) => folder.sync()?,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(FolderError::io("rename", folder.path_of(name), error)),
    }
    finish(folder, &hidden)
}

/// Removes what was renamed already.
///
/// # Errors
/// What the file system gives; the rest is done at the next run.
pub(super) fn finish(folder: &Beneath, hidden: &str) -> Result<(), FolderError> {
    let failed = |error: io::Error| FolderError::io("remove", folder.path_of(hidden), error);
    let name = CString::new(hidden).map_err(|error| failed(error.into()))?;
    remove(folder.fd(), &name).map_err(failed)?;
    folder.sync()
}

/// Removes a folder of sessions that is empty. False: it is not, or is gone.
///
/// # Errors
/// What else the file system gives.
pub(super) fn remove_empty(root: &Beneath, path: &Path) -> Result<bool, FolderError> {
    let failed = |error: Errno| FolderError::io("remove", root.path_of(path), error);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(false) };
    let opened;
    let parent = if parent.as_os_str().is_empty() {
        root
    } else {
        opened = root.folder(parent)?;
        &opened
    };
    match rustix::fs::unlinkat(parent.fd(), name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// Removes whatever `name` is. However deep folders are nested in it (a page that broke out may have
/// made them), two are open at a time: nested ones are moved up before they are emptied.
fn remove(parent: &OwnedFd, name: &CString) -> io::Result<()> {
    let Some(top) = unlink_or_open(parent, name)? else { return Ok(()) };
    loop {
        let batch = names(&top)?;
        if batch.is_empty() {
            return Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?);
        }
        for entry in &batch {
            let Some(inner) = unlink_or_open(&top, entry)? else { continue };
            flatten(&inner, &top)?;
            rustix::fs::unlinkat(&top, entry, AtFlags::REMOVEDIR)?;
        }
    }
}

/// Empties `inner`; the folders in it move to `top`.
fn flatten(inner: &OwnedFd, top: &OwnedFd) -> io::Result<()> {
    loop {
        let batch = names(inner)?;
        if batch.is_empty() {
            return Ok(());
        }
        for entry in &batch {
            if unlink_or_open(inner, entry)?.is_some() {
                rustix::fs::renameat(inner, entry, top, Uuid::new_v4().to_string())?;
            }
        }
    }
}

/// Removes what is no folder, and opens what is one; None: it is gone.
fn unlink_or_open(at: &OwnedFd, name: &CString) -> io::Result<Option<OwnedFd>> {
    let kind = match rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode),
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if kind != FileType::Directory {
        rustix::fs::unlinkat(at, name, AtFlags::empty())?;
        return Ok(None);
    }
    // Its owner may have taken the right to look into it, or to move it, from itself.
    rustix::fs::chmodat(at, name, Mode::RWXU, AtFlags::empty())?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Some(rustix::fs::openat(at, name, flags, Mode::empty())?))
}

fn names(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
        if names.len() == AT_ONCE {
            break;
        }
    }
    Ok(names)
}
