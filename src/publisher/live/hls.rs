//! HLS while it is recorded: each segment as soon as it is closed; the playlist last, or after each of them.

use std::fs;
use std::path::Path;

use super::source::LiveSource;
use super::{Published, Work, is_copied};
use crate::publisher::error::PublishError;
use crate::publisher::finish::lost_end;
use crate::publisher::package::{Cutter, HlsSettings, Listing, WorkFolder};
use crate::publisher::place::open_store;
use crate::publisher::splice::{PartSource, Splicer};
use crate::session::event::{PublisherEvent, Video};
use crate::session::request::Destination;
use crate::store::{Delivered, Media, Store, StoreError};

/// What a segment may be longer than asked for where no key frame comes, in seconds: encoders round.
const LATE_SECONDS: u64 = 1;

/// Publishes until the recording is over. None: nothing was recorded.
pub(super) fn make(work: &Work, settings: &HlsSettings) -> Result<Option<Published>, PublishError> {
    let source = LiveSource::open(work.session.clone(), work.followed.clone())?;
    let Some(source) = source else { return Ok(None) };
    let request = work.session.request()?;
    if !is_copied(request.codec) {
        return Err(PublishError::Abandoned);
    }
    let output = work.session.output_folder();
    fs::create_dir_all(&output).map_err(PublishError::io("make the output folder"))?;
    let folder = WorkFolder::create(&output, ".live")?;
    let store = open_store(&work.session, &work.run, &work.delivery, &work.resolver, Media::default())?;
    let sending = Sending { store: &*store, is_kept: work.delivery.destination == Destination::Session };
    let name = work.delivery.name.as_str();
    let playlist = output.join(format!("{name}.{}", work.delivery.format.extension()));
    let longest =
        u64::from(settings.segment_seconds) + u64::from(request.key_frame_interval_seconds.get()) + LATE_SECONDS;
    let growing = work.delivery.live_playlist;
    let tracks = source.head().tracks();
    let mut splicer = Splicer::of(Box::new(source));
    let mut cutter = Cutter::new(settings, &folder, &output, name);
    let mut size_bytes = 0;
    cutter.cut_all(&mut splicer, &tracks, &mut |_| {}, &mut |segment, cutter| {
        work.run.still_newest()?;
        size_bytes += sending.send(segment)?.size_bytes;
        if growing {
            cutter.write_playlist(&playlist, Listing::Growing { longest })?;
            sending.send(&playlist)?;
        }
        Ok(())
    })?;
    // Also looks whether a newer run has taken over: it would deliver the same names.
    work.run.append(PublisherEvent::UploadStarted)?;
    cutter.write_playlist(&playlist, if growing { Listing::Grown { longest } } else { Listing::Whole })?;
    let delivered = sending.send(&playlist)?;
    let video = Video {
        filename: delivered.name,
        size_bytes: size_bytes + delivered.size_bytes,
        duration_seconds: splicer.duration_us() as f64 / 1e6,
        url: delivered.url,
        file_id: delivered.file_id,
    };
    Ok(Some(Published { video, warnings: splicer.damaged().into_iter().map(lost_end).collect() }))
}

struct Sending<'s> {
    store: &'s dyn Store,
    /// The files are where they stay.
    is_kept: bool,
}

impl Sending<'_> {
    fn send(&self, file: &Path) -> Result<Delivered, StoreError> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let delivered = self.store.deliver(file, &name, &mut |_| {})?;
        if !self.is_kept {
            // Already gone where it was moved.
            let _ = fs::remove_file(file);
        }
        Ok(delivered)
    }
}
