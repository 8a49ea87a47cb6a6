//! The publisher's whole run: what the journal tells of the parts, the finished files, their
//! delivery, and each step journaled before it counts.

use std::io;
use std::path::{Path, PathBuf};

use super::error::PublishError;
use super::finish::{Finished, Kind, Order, finish, make_pictures};
use super::live::{self, Live};
use super::measure::usable_end;
use super::package::encrypt::HlsKeyBytes;
use super::package::{self, HlsEncryption, HlsSettings};
use super::place::open_store;
use super::plan::plan;
use super::progress::{Progress, Report, Stage};
use crate::egress::Resolver;
use crate::media::matroska::ReadError;
use crate::session::event::{PublishFailure, PublisherEvent, Video};
use crate::session::fold::MediaPart;
use crate::session::folder::{FolderError, PublisherRun, SessionDir};
use crate::session::request::{Delivery, Destination, Format};
use crate::store::{Media, Store};

/// What is published, by which run, and what may be reached for it.
#[derive(Clone, Copy)]
pub struct Publication<'a> {
    pub session: &'a SessionDir,
    pub run: &'a PublisherRun,
    pub delivery: &'a Delivery,
    pub resolver: &'a Resolver,
}

/// What a video is made from.
pub enum MadeFrom {
    /// The recorded parts.
    Parts,
    /// The finished files of an earlier run, where they are still there; else the parts.
    Files,
    /// What was published while it was recorded, where that succeeded; else the parts.
    Live(Live),
}

impl Publication<'_> {
    /// Makes the video of the session and brings it to its place, or sees what was published while it was recorded
    /// to its end. The run's `RunStarted` is journaled; this journals up to `Delivered`, or `Failed`. No videos
    /// when nothing was recorded.
    ///
    /// It blocks for as long as that takes. The session's parts are left as they are, so it can be done
    /// again.
    ///
    /// # Errors
    /// What [`finish`] and the store give; a session that cannot be read or that a newer run has taken
    /// over.
    pub fn make(self, from: MadeFrom, progress: &mut dyn FnMut(Progress)) -> Result<Vec<Video>, PublishError> {
        let run = self.run;
        match self.make_and_deliver(from, progress) {
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

    fn make_and_deliver(self, from: MadeFrom, progress: &mut dyn FnMut(Progress)) -> Result<Vec<Video>, PublishError> {
        let Publication { session, run, delivery, resolver } = self;
        let parts = measured_parts(session, run)?;
        run.append(PublisherEvent::TranscodeStarted)?;
        let order = Order {
            name: delivery.name.as_str(),
            kind: kind_of(delivery)?,
            thumbnail: delivery.thumbnail,
            contact_sheet: delivery.contact_sheet,
        };
        let found = matches!(from, MadeFrom::Files).then(|| made_before(session, delivery)).flatten();
        if let MadeFrom::Live(live) = from {
            live.followed().tell(&session.folded()?, true);
            match live.finish() {
                Ok(None) => return Ok(Vec::new()),
                Ok(Some(published)) => return self.conclude(published, &parts, &order).map(|video| vec![video]),
                Err(PublishError::Session(superseded @ FolderError::Superseded { .. })) => {
                    return Err(superseded.into());
                }
                Err(error) => tracing::warn!(%error, "the video is made from the parts"),
            }
        }
        let open = |name| session.open_part(name).map_err(io::Error::other);
        let mut beside = None;
        let made = match found {
            Some(found) => Ok(Some(found)),
            None => finish(&parts, &open, &session.output_folder(), &order, progress),
        };
        let finished = match made {
            // The disk of the session is full, but the file may be meant for another one.
            Err(PublishError::DiskFull) => {
                let Destination::Folder { path } = &delivery.destination else { return Err(PublishError::DiskFull) };
                let folder = beside.insert(Beside::make(path)?);
                finish(&parts, &open, &folder.0, &order, progress)?
            }
            other => other?,
        };
        let Some(finished) = finished else { return Ok(Vec::new()) };
        self.warn(&finished.warnings)?;
        // Also looks whether a newer run has taken over: it would deliver the same names.
        run.append(PublisherEvent::UploadStarted)?;
        let store = open_store(session, run, delivery, resolver, media(&finished))?;
        deliver(&finished, &*store, progress).map(|video| vec![video])
    }

    /// What is left of a video that was published while it was recorded: its pictures.
    fn conclude(
        self,
        published: live::Published,
        parts: &[MediaPart],
        order: &Order<'_>,
    ) -> Result<Video, PublishError> {
        let Publication { session, run, delivery, resolver } = self;
        let mut warnings = published.warnings;
        if order.thumbnail || order.contact_sheet {
            let open = |name| session.open_part(name).map_err(io::Error::other);
            let output = session.output_folder();
            let pictures = match plan(parts, &open)? {
                Some(plan) => make_pictures(&plan, &open, &output, order, &mut warnings),
                None => Vec::new(),
            };
            let store = open_store(session, run, delivery, resolver, Media::default())?;
            for picture in pictures {
                store.deliver(&picture, &name_of(&picture), &mut |_| {})?;
            }
        }
        self.warn(&warnings)?;
        Ok(published.video)
    }

    fn warn(self, warnings: &[String]) -> Result<(), PublishError> {
        for text in warnings {
            self.run.append(PublisherEvent::Warning { text: text.clone() })?;
        }
        Ok(())
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

pub(super) fn kind_of(delivery: &Delivery) -> Result<Kind, PublishError> {
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

/// The finished files of an earlier run, if they are all there.
fn made_before(session: &SessionDir, delivery: &Delivery) -> Option<Finished> {
    let output = session.output_folder();
    let there = |name: String| Some(output.join(name)).filter(|path| path.is_file());
    let entry = there(format!("{}.{}", delivery.name, delivery.format.extension()))?;
    let mut files = vec![entry.clone()];
    if delivery.format == Format::Hls {
        let (segments, whole) = package::segments_of(&entry, delivery.name.as_str())?;
        files.extend(segments.into_iter().map(there).collect::<Option<Vec<_>>>().filter(|_| whole)?);
    }
    let pictures = [format!("{}.jpg", delivery.name), format!("{}-contact.png", delivery.name)];
    let duration_us = session.folded().ok()?.recorded_us() as i64;
    Some(Finished {
        files,
        pictures: pictures.into_iter().filter_map(there).collect(),
        duration_us,
        warnings: Vec::new(),
    })
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
        file_id: entry.file_id,
    })
}

/// The finished files, as VOD makes one media of them.
fn media(finished: &Finished) -> Media {
    let names = |files: &[PathBuf]| files.iter().map(|file| name_of(file)).collect();
    Media { files: names(&finished.files), pictures: names(&finished.pictures), duration_us: finished.duration_us }
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
