//! One MP4, by stream copy.

use std::io::{self, Write};
use std::path::Path;

use super::{Made, WorkFolder};
use crate::media::Tracks;
use crate::media::mp4::{Mp4Error, Mp4Index, Mp4Muxer};
use crate::publisher::error::PublishError;
use crate::publisher::plan::{OpenPart, Plan};
use crate::publisher::progress::Report;
use crate::publisher::splice::Splicer;
use crate::store::{Beginning, Expected, FolderStore, GrowingFile, Store, StoreError};

/// Makes `<name>.mp4` in the output folder: H.264 and AAC as they are, the index in front, times
/// from 0 on.
pub(in crate::publisher) fn mp4(
    plan: &Plan,
    open: &OpenPart<'_>,
    output: &Path,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Made, PublishError> {
    let work = WorkFolder::create(output, ".packaging")?;
    let store = FolderStore::new(output, work.path());
    let name = format!("{name}.mp4");
    let mut file = store.grow(&name, Expected::default()).map_err(full_or_store)?;
    let mut splicer = Splicer::new(plan, open);
    let muxed = mux(&mut splicer, &plan.tracks(), work.path(), &mut *file, &mut |at_us| report.at(at_us));
    let mut index = muxed.map_err(full)?;
    file.complete(&mut index).map_err(full_or_store)?;
    Ok(Made { files: vec![output.join(name)], damaged: splicer.damaged() })
}

/// Writes everything that the splicer gives into a growing file, and gives its beginning. `spill` is a folder for
/// what the memory should not hold.
pub(in crate::publisher) fn mux(
    splicer: &mut Splicer<'_>,
    tracks: &Tracks,
    spill: &Path,
    file: &mut dyn GrowingFile,
    report: &mut dyn FnMut(i64),
) -> Result<Index, PublishError> {
    let mut muxer = Mp4Muxer::new(tracks, spill)?;
    let mut media = Media { file, failed: None };
    while let Some(spliced) = splicer.next_packet()? {
        report(spliced.packet.pts_us);
        let pushed = muxer.push(spliced.packet, &mut |bytes| media.append(bytes));
        media.check(pushed)?;
    }
    let made = muxer.finish(&mut |bytes| media.append(bytes));
    media.check(made).map(Index)
}

/// The growing file as the muxer sees it; why it took no more is kept.
struct Media<'f> {
    file: &'f mut dyn GrowingFile,
    failed: Option<StoreError>,
}

impl Media<'_> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes).map_err(|error| {
            self.failed = Some(error);
            io::Error::other("the file takes no more")
        })
    }

    fn check<T>(&mut self, muxed: Result<T, Mp4Error>) -> Result<T, PublishError> {
        match self.failed.take() {
            Some(failed) => Err(failed.into()),
            None => Ok(muxed?),
        }
    }
}

/// The beginning of an MP4.
pub(in crate::publisher) struct Index(Mp4Index);

impl Beginning for Index {
    fn least_bytes(&self) -> u64 {
        self.0.head_bytes()
    }

    fn write(&mut self, length: u64, out: &mut dyn Write) -> io::Result<()> {
        self.0.write_head(length, out).map_err(io::Error::other)
    }
}

/// The disk that is full is the session's own.
fn full(error: PublishError) -> PublishError {
    match error {
        PublishError::Store(StoreError::Full { .. }) => PublishError::DiskFull,
        error => error,
    }
}

fn full_or_store(error: StoreError) -> PublishError {
    full(error.into())
}
