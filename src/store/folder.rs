//! A local folder: by rename on the same file system, by copy beside and rename else.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::folder_growing::FolderGrowing;
use super::growing::{Expected, GrowingFile};
use super::{Delivered, Store, StoreError};
use crate::session::request::Served;

/// Delivers into one folder, which must be there.
#[derive(Debug, Clone)]
pub struct FolderStore {
    folder: PathBuf,
    /// Where files grow that are not finished.
    nursery: PathBuf,
    /// Where the folder's files can be had.
    served: Option<Served>,
}

impl FolderStore {
    /// Files that come piece by piece grow in `nursery`, where it is on the same file system as the folder: nobody
    /// wonders there about one that was broken off.
    pub fn new(folder: impl Into<PathBuf>, nursery: impl Into<PathBuf>) -> Self {
        let (folder, nursery) = (folder.into(), nursery.into());
        let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
        let nursery = if device(&folder) == device(&nursery) { nursery } else { folder.clone() };
        FolderStore { folder, nursery, served: None }
    }

    /// Gives each file its URL.
    pub fn served(self, served: Option<Served>) -> Self {
        FolderStore { served, ..self }
    }
}

impl Store for FolderStore {
    /// Moves the file. Another file of that name is replaced as a whole, never half.
    fn deliver(&self, file: &Path, name: &str, _sent: &mut dyn FnMut(u64)) -> Result<Delivered, StoreError> {
        let read = |source| StoreError::Read { path: file.to_owned(), source };
        let size_bytes = fs::metadata(file).map_err(read)?.len();
        let target = self.folder.join(name);
        match fs::rename(file, &target) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                copy_beside(file, &target, name, size_bytes)?;
                // It is delivered; a leftover does no harm.
                let _ = fs::remove_file(file);
            }
            Err(error) => return Err(refused(&target, size_bytes, error)),
        }
        sync_folder(&self.folder).map_err(|error| refused(&target, size_bytes, error))?;
        let url = self.served.as_ref().and_then(|served| served.url(name)).map(Into::into);
        Ok(Delivered { name: name.to_owned(), size_bytes, url, file_id: None })
    }

    fn grow<'s>(&'s self, name: &str, expected: Expected) -> Result<Box<dyn GrowingFile + 's>, StoreError> {
        Ok(Box::new(FolderGrowing::begin(self, &self.nursery, name, expected.spare_bytes)?))
    }
}

/// Copies to a hidden name in the target's folder, then gives it its own.
fn copy_beside(file: &Path, target: &Path, name: &str, size_bytes: u64) -> Result<(), StoreError> {
    let beside = target.with_file_name(format!(".{name}.{}.partial", std::process::id()));
    let copied = copy(file, &beside).and_then(|()| fs::rename(&beside, target));
    copied.map_err(|error| {
        let _ = fs::remove_file(&beside);
        refused(target, size_bytes, error)
    })
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut copy = File::create(to)?;
    io::copy(&mut source, &mut copy)?;
    copy.sync_all()
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(super) fn refused(target: &Path, size_bytes: u64, source: io::Error) -> StoreError {
    let path = target.to_owned();
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full { path, size_bytes },
        _ => StoreError::Write { path, source },
    }
}
