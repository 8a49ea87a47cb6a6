//! The publisher's whole run: what the journal tells of the parts, the finished files, their
//! delivery, and each step journaled before it counts.

use std::io;
use std::path::{Path, PathBuf};

use super::error::PublishError;
use super::finish::{Finished, Kind, Order, finish};
use super::measure::usable_end;
use super::package::encrypt::HlsKeyBytes;
use super::package::{HlsEncryption, HlsSettings};
use super::progress::{Progress, Report, Stage};
use crate::media::matroska::ReadError;
use crate::session::event::{PublishFailure, PublisherEvent, Video};
use crate::session::fold::MediaPart;
use crate::session::folder::{FolderError, PublisherRun, SessionDir};
use crate::session::request::{Delivery, Destination, Format};
use crate::store::{FolderStore, S3Store, Store, StoreError, Uploads};

/// Makes the video of a session and brings it to its place. Journals `RunStarted` up to `Delivered`
/// and `Finished`, or `Failed`. No videos when nothing was recorded.
///
/// It blocks for as long as that takes. The session's parts are left as they are, so it can be done
/// again.
///
/// # Errors
/// What [`finish`] and the store give; a session that cannot be read or that a newer run has taken
/// over.
pub fn publish(
    session: &SessionDir,
    run: &PublisherRun,
    delivery: &Delivery,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Video>, PublishError> {
    run.append(PublisherEvent::RunStarted { run: run.number() })?;
    let videos = make(session, run, delivery, progress)?;
    run.append(PublisherEvent::Finished)?;
    Ok(videos)
}

/// What [`publish`] does between `RunStarted` and `Finished`: journals up to `Delivered`, or
/// `Failed`.
pub fn make(
    session: &SessionDir,
    run: &PublisherRun,
    delivery: &Delivery,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Video>, PublishError> {
    match make_and_deliver(session, run, delivery, progress) {
        Ok(videos) => {
            run.append(PublisherEvent::Delivered { videos: videos.clone() })?;
            Ok(videos)
        }
        Err(PublishError::Session(superseded @ FolderError::Superseded { .. })) => Err(superseded.into()),
        Err(error) => {
            let failure = match error {
                PublishError::Store(_) => PublishFailure::Delivery,
                _ => PublishFailure::Finishing,
            };
            let message = error.to_string();
            // Why it failed is worth more than that it could not be written down.
            if let Err(unwritten) = run.append(PublisherEvent::Failed { failure, message }) {
                tracing::warn!(%unwritten, "the failure could not be journaled");
            }
            Err(error)
        }
    }
}

fn make_and_deliver(
    session: &SessionDir,
    run: &PublisherRun,
    delivery: &Delivery,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Video>, PublishError> {
    let parts = measured_parts(session, run)?;
    run.append(PublisherEvent::TranscodeStarted)?;
    let order = Order {
        name: delivery.name.as_str(),
        kind: kind_of(delivery)?,
        thumbnail: delivery.thumbnail,
        contact_sheet: delivery.contact_sheet,
    };
    let open = |name| session.open_part(name).map_err(io::Error::other);
    let mut beside = None;
    let finished = match finish(&parts, &open, &session.output_folder(), &order, progress) {
        // The disk of the session is full, but the file may be meant for another one.
        Err(PublishError::DiskFull) => {
            let Destination::Folder { path } = &delivery.destination else { return Err(PublishError::DiskFull) };
            let folder = beside.insert(Beside::make(path)?);
            finish(&parts, &open, &folder.0, &order, progress)?
        }
        other => other?,
    };
    let Some(finished) = finished else { return Ok(Vec::new()) };
    for text in &finished.warnings {
        run.append(PublisherEvent::Warning { text: text.clone() })?;
    }
    // Also looks whether a newer run has taken over: it would deliver the same names.
    run.append(PublisherEvent::UploadStarted)?;
    let uploads = Journaled { session, run };
    let store: Box<dyn Store + '_> = match &delivery.destination {
        Destination::Folder { path } => Box::new(FolderStore::new(path)),
        // Moving a file onto itself changes nothing: it is there.
        Destination::Session => Box::new(FolderStore::new(session.output_folder())),
        Destination::S3(place) => Box::new(S3Store::new(place, &uploads).map_err(StoreError::from)?),
    };
    deliver(&finished, &*store, progress).map(|video| vec![video])
}

/// Uploads as the journal has them.
struct Journaled<'a> {
    session: &'a SessionDir,
    run: &'a PublisherRun,
}

impl Uploads for Journaled<'_> {
    fn open(&self, key: &str) -> Option<String> {
        // An upload that cannot be found is begun anew; the store keeps the old one until its lifecycle ends it.
        self.session.folded().ok()?.published.uploads.get(key).cloned()
    }

    fn begun(&self, key: &str, upload_id: &str) -> Result<(), StoreError> {
        let event = PublisherEvent::PartsBegun { key: key.to_owned(), upload_id: upload_id.to_owned() };
        self.run.append(event).map(drop).map_err(|error| StoreError::Journal(io::Error::other(error)))
    }
}

/// A hidden folder where the files are to go, for making them there; gone with its value.
struct Beside(PathBuf);

impl Beside {
    fn make(folder: &Path) -> Result<Beside, PublishError> {
        let path = folder.join(format!(".panorec-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&path).map_err(PublishError::io("make a folder beside the output"))?;
        Ok(Beside(path))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "cannot remove a temporary folder");
        }
    }
}

/// The parts, the last one measured if the recorder left it open.
fn measured_parts(session: &SessionDir, run: &PublisherRun) -> Result<Vec<MediaPart>, PublishError> {
    let mut parts: Vec<MediaPart> = session.folded()?.parts().copied().collect();
    for part in parts.iter_mut().filter(|part| part.end_us.is_none()) {
        let file = session
            .open_part(part.name)
            .map_err(|error| PublishError::OpenPart { part: part.name, source: io::Error::other(error) })?;
        let end_video_us = match usable_end(file, part.start_us) {
            // Its recorder was killed before the first packet.
            Err(ReadError::Empty | ReadError::EndsInHeader) => part.start_us,
            other => other.map_err(|source| PublishError::Part { part: part.name, source })?,
        };
        run.append(PublisherEvent::MediaMeasured { part: part.name, end_video_us })?;
        part.end_us = Some(end_video_us);
    }
    Ok(parts)
}

fn kind_of(delivery: &Delivery) -> Result<Kind, PublishError> {
    if delivery.format == Format::Mp4 {
        return Ok(Kind::Mp4);
    }
    let encryption = |key: &crate::session::request::HlsKey| {
        Ok::<_, PublishError>(HlsEncryption {
            key: HlsKeyBytes::read(&key.file)?,
            key_url: key.url.to_string(),
            iv: key.iv.map(|iv| iv.0),
        })
    };
    Ok(Kind::Hls(HlsSettings {
        segment_seconds: delivery.segment_seconds.get(),
        encryption: delivery.key.as_ref().map(encryption).transpose()?,
    }))
}

/// Brings the files to the store: the one that players open comes last, when all it names is there.
fn deliver(finished: &Finished, store: &dyn Store, progress: &mut dyn FnMut(Progress)) -> Result<Video, PublishError> {
    let files: Vec<&PathBuf> = finished.pictures.iter().chain(finished.files.iter().rev()).collect();
    let length = |file: &&PathBuf| std::fs::metadata(file).map_or(0, |file| file.len());
    let total: u64 = files.iter().map(length).sum();
    let mut report = Report::new(progress, Stage::Delivering, finished.duration_us);
    let (mut size_bytes, mut entry, mut done) = (0, None, 0);
    for file in files {
        let mut sent = |bytes: u64| {
            let share = (done + bytes) as f64 / total.max(1) as f64;
            report.at((finished.duration_us as f64 * share) as i64);
        };
        let delivered = store.deliver(file, &name_of(file), &mut sent)?;
        done += delivered.size_bytes;
        if !finished.pictures.contains(file) {
            size_bytes += delivered.size_bytes;
            entry = Some(delivered);
        }
    }
    let entry = entry.ok_or(PublishError::Segments("there are none"))?;
    Ok(Video {
        filename: entry.name,
        size_bytes,
        duration_seconds: finished.duration_us as f64 / 1e6,
        url: entry.url,
        file_id: None,
    })
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
