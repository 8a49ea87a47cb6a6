//! What can go wrong between the parts and the finished file.

use std::io;

use crate::media::matroska::ReadError;
use crate::session::folder::FolderError;
use crate::session::name::PartName;

/// Why no video could be made, or why it could not be brought to its place.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("part {part} {source}; move it away and publish again to leave it out")]
    Part { part: PartName, source: ReadError },
    #[error("part {part} cannot be opened: {source}")]
    OpenPart { part: PartName, source: io::Error },
    #[error("part {part} {what}; the journal does not fit the parts")]
    Timeline { part: PartName, what: &'static str },
    #[error("part {part} {what}; parts of one recording must be alike")]
    Unlike { part: PartName, what: &'static str },
    #[error("the disk that holds the session is full; make room and publish again")]
    DiskFull,
    #[error("FFmpeg could not be started: {0}; is it installed?")]
    NoFfmpeg(io::Error),
    #[error("FFmpeg failed while {doing}: {said}")]
    Ffmpeg { doing: &'static str, said: String },
    #[error("cannot {doing}: {source}")]
    Io { doing: &'static str, source: io::Error },
    #[error("the HLS key file cannot be used: {0}; it must hold 16 bytes or 32 hexadecimal digits")]
    Key(String),
    #[error("FFmpeg's list of segments does not fit the recording: {0}")]
    Segments(&'static str),
    #[error("the journal takes back what was published while it was recorded")]
    Rewritten,
    #[error("publishing was broken off")]
    Abandoned,
    #[error("the MP4 cannot be made: {0}")]
    Mp4(#[from] crate::media::mp4::Mp4Error),
    #[error(transparent)]
    Session(#[from] FolderError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

impl PublishError {
    /// Tells a full disk apart from everything else that reading and writing can give.
    pub(super) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> PublishError {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => PublishError::DiskFull,
            _ => PublishError::Io { doing, source },
        }
    }
}
