//! Where finished files go: a local folder today, object stores beside it.
//! Called by the publisher alone.
//! Never: makes or changes media, or shows a half-written file under its name.

pub mod folder;

use std::io;
use std::path::{Path, PathBuf};

pub use folder::FolderStore;

/// A place that finished files are brought to.
pub trait Store {
    /// Brings a finished file there under a name. When this fails the file is still where it was.
    fn deliver(&self, file: &Path, name: &str) -> Result<Delivered, StoreError>;
}

/// A file that is where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub name: String,
    pub size_bytes: u64,
    /// Where it can be had from, if that is more than a path.
    pub url: Option<String>,
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
}
