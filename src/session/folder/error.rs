//! What can be wrong with a session folder.

use std::io;
use std::path::{Path, PathBuf};

use crate::session::name::{PartName, RunNumber};

/// Why a session folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{path} holds no session; give the folder that `panorec record` named")]
    NoSession { path: PathBuf },
    #[error("{path} already holds a session; go on with it by `panorec resume`, or choose another folder")]
    AlreadyThere { path: PathBuf },
    #[error("cannot {what} {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{path} is {found} and not {wanted}; somebody put it there, and it is not read")]
    Hostile { path: PathBuf, found: &'static str, wanted: &'static str },
    #[error("{path} is larger than the {limit} bytes that are read of it; the session is not trusted")]
    TooBig { path: PathBuf, limit: u64 },
    #[error("{path} holds more than {limit} {what}; the session is not trusted")]
    TooMany { path: PathBuf, what: &'static str, limit: usize },
    #[error(
        "line {line} of {path} was written by a newer panorec (events of version {version}); use that one or newer"
    )]
    NewerEvent { path: PathBuf, line: usize, version: u64 },
    #[error("line {line} of {path} is no event of a session: {why}")]
    BadEvent { path: PathBuf, line: usize, why: String },
    #[error("{path} cannot be understood: {why}")]
    BadDocument { path: PathBuf, why: String },
    #[error("run {newer} has taken the session over from run {run}; this one stops")]
    Superseded { run: RunNumber, newer: RunNumber },
    #[error("part {part} belongs to another run than {run}")]
    ForeignPart { part: PartName, run: RunNumber },
    #[error("an event of {bytes} bytes is longer than the {limit} that are read of a line")]
    LongEvent { bytes: usize, limit: usize },
}

impl FolderError {
    pub(crate) fn io(what: &'static str, path: impl AsRef<Path>, source: impl Into<io::Error>) -> FolderError {
        FolderError::Io { what, path: path.as_ref().to_owned(), source: source.into() }
    }

    /// Whether what was looked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, FolderError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, FolderError::Io { source, .. } if matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ))
    }
}
