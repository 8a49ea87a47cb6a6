//! One MP4 while it is recorded: media as it comes, the index in front of it at the end.

use std::sync::Arc;

use super::source::LiveSource;
use super::{Published, Work, is_copied};
use crate::media::mp4::head_bytes_at_most;
use crate::publisher::error::PublishError;
use crate::publisher::finish::lost_end;
use crate::publisher::package::{WorkFolder, mux};
use crate::publisher::place::open_store;
use crate::publisher::splice::{PartSource, Splicer};
use crate::session::event::{PublisherEvent, Video};
use crate::session::request::Request;
use crate::store::{Expected, Media};

/// What encoders and containers add to the bits that were asked for, in percent.
const OVERHEAD: u64 = 10;
/// The recording itself comes first: a file that can be made again leaves it this much of a disk, in bytes.
const SPARE: u64 = 256 << 20;

/// Publishes until the recording is over. None: nothing was recorded.
pub(super) fn make(work: &Work) -> Result<Option<Published>, PublishError> {
    let source = LiveSource::open(Arc::clone(&work.session), Arc::clone(&work.followed))?;
    let Some(source) = source else { return Ok(None) };
    let request = work.session.request()?;
    if !is_copied(request.codec) {
        return Err(PublishError::Abandoned);
    }
    let output = work.session.output_folder();
    std::fs::create_dir_all(&output).map_err(PublishError::io("make the output folder"))?;
    let folder = WorkFolder::create(&output, ".live")?;
    let name = format!("{}.{}", work.delivery.name, work.delivery.format.extension());
    let store = open_store(&work.session, &work.run, &work.delivery, &work.resolver, Media::default())?;
    let mut file = store.grow(&name, expected(&request))?;
    let tracks = source.head().tracks();
    let mut splicer = Splicer::of(Box::new(source));
    let mut index = mux(&mut splicer, &tracks, folder.path(), &mut *file, &mut |_| {})?;
    // Also looks whether a newer run has taken over: it would deliver the same name.
    work.run.append(PublisherEvent::UploadStarted)?;
    let delivered = file.complete(&mut index)?;
    let video = Video {
        filename: delivered.name,
        size_bytes: delivered.size_bytes,
        duration_seconds: splicer.duration_us() as f64 / 1e6,
        url: delivered.url,
        file_id: delivered.file_id,
    };
    Ok(Some(Published { video, warnings: splicer.damaged().into_iter().map(lost_end).collect() }))
}

/// How large the recording may become.
fn expected(request: &Request) -> Expected {
    let seconds = u64::from(request.max_duration_seconds.get());
    let kbps = u64::from(request.max_bitrate_kbps.get()) + u64::from(request.audio_bitrate_kbps.get());
    let bytes = seconds.saturating_mul(kbps).saturating_mul(1_000 / 8);
    Expected {
        bytes: bytes / 100 * (100 + OVERHEAD),
        beginning_bytes: head_bytes_at_most(request.max_duration_seconds.get(), request.frame_rate.get().into()),
        spare_bytes: SPARE,
    }
}
