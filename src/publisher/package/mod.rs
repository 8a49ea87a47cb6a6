//! Makes the finished files out of the spliced stream.

pub mod encrypt;
pub mod hls;
mod mp4;
mod playlist;

pub use encrypt::HlsEncryption;
pub use hls::HlsSettings;
pub(super) use hls::{Cutter, hls};
pub(super) use mp4::{mp4, mux};
pub(super) use playlist::Listing;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::PublishError;
use crate::session::name::PartName;

/// With less than this left, a file that is not whole is put down to the full disk; in bytes.
const LITTLE_ROOM: u64 = 1 << 20;

/// The files of the segments that a playlist of ours lists, and whether it lists all of them. None: it is none.
pub(super) fn segments_of(list: &Path, name: &str) -> Option<(Vec<String>, bool)> {
    let list = m3u8_rs::parse_media_playlist_res(&fs::read(list).ok()?).ok()?;
    let names = (0..list.segments.len()).map(|index| playlist::segment_name(name, index)).collect();
    Some((names, list.end_list))
}

/// What packaging gives.
#[derive(Debug)]
pub(super) struct Made {
    /// In the output folder; the one that players open comes first.
    pub files: Vec<PathBuf>,
    /// Parts whose end was missing.
    pub damaged: Vec<PartName>,
}

/// A folder for what is not finished, inside the output folder; removed when dropped.
#[derive(Debug)]
pub(super) struct WorkFolder(PathBuf);

impl WorkFolder {
    /// Makes it anew: what an earlier run left in it is no use.
    pub(super) fn create(output: &Path, name: &str) -> Result<WorkFolder, PublishError> {
        let path = output.join(name);
        let doing = "make a folder for the finishing";
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(PublishError::io(doing)(error));
            }
            _ => {}
        }
        fs::create_dir_all(&path).map_err(PublishError::io(doing))?;
        Ok(WorkFolder(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Refuses what FFmpeg made when it is not `whole`. Some of FFmpeg's muxers end with a success and
/// without a word when the disk is full.
fn check(whole: bool, folder: &Path) -> Result<(), PublishError> {
    if whole {
        return Ok(());
    }
    let room = rustix::fs::statvfs(folder).map_or(0, |fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    if room < LITTLE_ROOM {
        return Err(PublishError::DiskFull);
    }
    Err(PublishError::Ffmpeg { doing: "packaging", said: "its output is not whole".into() })
}

/// Gives a finished file its name, once it is on disk.
fn put_in_place(from: &Path, to: &Path) -> Result<(), PublishError> {
    let doing = "put a finished file in its place";
    File::open(from).and_then(|file| file.sync_all()).map_err(PublishError::io(doing))?;
    fs::rename(from, to).map_err(PublishError::io(doing))
}
