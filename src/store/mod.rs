//! Where finished files go: a local folder, an object store, or Tencent Cloud VOD.
//! Called by the publisher alone.
//! Never: makes or changes media, or shows a half-written file under its name.

pub mod folder;
mod folder_growing;
pub mod growing;
mod keys;
mod persist;
pub mod s3;
pub mod vod;

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use folder::FolderStore;
pub use growing::{Beginning, Expected, GrowingFile};
pub use keys::BadKeys;
pub use s3::{Listed, Notes, S3Error, S3Store, Small};
pub use vod::{Media, VodError, VodStore};

/// A place that finished files are brought to.
pub trait Store {
    /// Brings a finished file there under a name; `sent` is told how many of its bytes are there, where that
    /// takes a while. When this fails the file is still where it was.
    fn deliver(&self, file: &Path, name: &str, sent: &mut dyn FnMut(u64)) -> Result<Delivered, StoreError>;

    /// Begins a file that comes piece by piece, its beginning last.
    ///
    /// # Errors
    /// It may become larger than this place takes.
    fn grow<'s>(&'s self, name: &str, expected: Expected) -> Result<Box<dyn GrowingFile + 's>, StoreError>;
}

/// What is written down of uploads in parts, so that one that was broken off is gone on with.
pub trait Uploads {
    /// The upload of this key that was begun and not brought to its end.
    fn open(&self, key: &str) -> Option<String>;

    /// An upload has been begun. Called before anything is sent.
    fn begun(&self, key: &str, upload_id: &str) -> Result<(), StoreError>;

    /// Something a person should know of the upload; it is no failure.
    fn warn(&self, text: &str) -> Result<(), StoreError> {
        tracing::warn!("{text}");
        Ok(())
    }
}

impl<U: Uploads + ?Sized> Uploads for &U {
    fn open(&self, key: &str) -> Option<String> {
        (**self).open(key)
    }

    fn begun(&self, key: &str, upload_id: &str) -> Result<(), StoreError> {
        (**self).begun(key, upload_id)
    }

    fn warn(&self, text: &str) -> Result<(), StoreError> {
        (**self).warn(text)
    }
}

impl<U: Uploads + ?Sized> Uploads for Rc<U> {
    fn open(&self, key: &str) -> Option<String> {
        (**self).open(key)
    }

    fn begun(&self, key: &str, upload_id: &str) -> Result<(), StoreError> {
        (**self).begun(key, upload_id)
    }

    fn warn(&self, text: &str) -> Result<(), StoreError> {
        (**self).warn(text)
    }
}

/// Nothing was begun, and nothing will be.
pub struct NoUploads;

impl Uploads for NoUploads {
    fn open(&self, _: &str) -> Option<String> {
        None
    }

    fn begun(&self, _: &str, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A file that is where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub name: String,
    pub size_bytes: u64,
    /// Where it can be had from, if that is more than a path.
    pub url: Option<String>,
    /// Its id in VOD.
    pub file_id: Option<String>,
}

/// Why a file could not be brought to its place.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no room for {path} ({size_bytes} bytes); make room and publish again")]
    Full { path: PathBuf, size_bytes: u64 },
    #[error("cannot write {path}: {source}; publish again once that is mended")]
    Write { path: PathBuf, source: io::Error },
    #[error("the finished file {path} cannot be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("this place takes whole files only")]
    WholeOnly,
    #[error("the beginning of the file cannot be made: {0}")]
    Beginning(io::Error),
    #[error("it cannot be written down that an upload begins: {0}")]
    Journal(io::Error),
    #[error(transparent)]
    S3(#[from] S3Error),
    #[error(transparent)]
    Vod(#[from] VodError),
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Words of a store in an error of ours are cut to this many characters.
const SAID: usize = 300;

fn shortened(text: &str) -> String {
    text.chars().take(SAID).collect()
}
