//! From a session folder with its journals to the delivered file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::parts::grid;
use crate::support::*;
use panorec::egress::Resolver;
use panorec::media::grid::us_of;
use panorec::publisher::{MadeFrom, Progress, Publication, PublishError};
use panorec::session::event::{PublishFailure, PublisherEvent, RecorderEvent, Video};
use panorec::session::fold::Phase;
use panorec::session::folder::{PublisherRun, RecorderRun, SessionDir};
use panorec::session::intent::By;
use panorec::session::name::{PartName, TaskId};
use panorec::session::request::{Delivery, Destination, Format, HlsKey, PageUrl, Request, SegmentDuration};

fn publish(
    session: &SessionDir,
    run: &PublisherRun,
    delivery: &Delivery,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Video>, PublishError> {
    run.append(PublisherEvent::RunStarted { run: run.number() })?;
    let publication = Publication { session, run, delivery, resolver: &Resolver::default() };
    let videos = publication.make(MadeFrom::Parts, progress)?;
    run.append(PublisherEvent::Finished)?;
    Ok(videos)
}

struct World {
    folder: tempfile::TempDir,
    session: SessionDir,
    delivery: Delivery,
}

impl World {
    fn new(change: impl FnOnce(&mut Delivery, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let delivered = folder.path().join("delivered");
        fs::create_dir(&delivered).unwrap();
        let mut delivery = Delivery {
            task_id: TaskId::random(),
            format: Format::Mp4,
            destination: Destination::Folder { path: delivered },
            name: "lesson 1".parse().unwrap(),
            segment_seconds: SegmentDuration::new(2).unwrap(),
            live_playlist: false,
            key: None,
            thumbnail: false,
            contact_sheet: false,
            intermediate: None,
            callback: None,
            served: None,
            remove_session: false,
        };
        change(&mut delivery, folder.path());
        let request = Request::new(PageUrl::parse("https://school.example/").unwrap());
        let session = SessionDir::create(&folder.path().join("session"), &request, &delivery).unwrap();
        World { folder, session, delivery }
    }

    /// A run of the recorder that makes one part, and stops or dies.
    fn record(&self, from: i64, to: i64, keep: impl FnOnce(&[u8]) -> usize, stopped: bool) {
        let run = RecorderRun::claim(&self.session).unwrap();
        let measure =
            |part: panorec::session::fold::MediaPart, file| panorec::publisher::usable_end(file, part.start_us).ok();
        run.start(&self.session, measure).unwrap();
        let name = PartName { run: run.number(), part: 1 };
        let us = |sample| us_of(sample) as u64;
        run.append(RecorderEvent::PartOpened { part: name, video_us: us(from) }).unwrap();
        let bytes = part(Stretch { from, to, ..Stretch::seconds(0, 0) });
        let kept = keep(&bytes);
        run.create_part(name).unwrap().write_all(&bytes[..kept]).unwrap();
        if stopped {
            run.append(RecorderEvent::PartClosed { part: name, end_video_us: us(to) }).unwrap();
            run.append(RecorderEvent::Stopped { by: By::Intent, video_us: us(to) }).unwrap();
        }
    }

    fn publish(&self) -> Result<Vec<panorec::session::event::Video>, PublishError> {
        let run = PublisherRun::claim(&self.session).unwrap();
        publish(&self.session, &run, &self.delivery, &mut |_| {})
    }

    fn delivered(&self) -> Vec<PathBuf> {
        let folder = match &self.delivery.destination {
            Destination::Folder { path } => path.clone(),
            Destination::Session => self.session.output_folder(),
            Destination::S3(_) | Destination::Vod(_) => panic!("no store is used here"),
        };
        let entries = fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn whole(bytes: &[u8]) -> usize {
    bytes.len()
}

#[test]
fn a_session_becomes_a_delivered_mp4() {
    let world = World::new(|delivery, _| (delivery.thumbnail, delivery.contact_sheet) = (true, true));
    // The first run dies in the middle, the second goes on where it saw that the media ends.
    world.record(0, grid(4.0), |bytes| bytes.len() * 3 / 4, false);
    let seen = world.session.folded().unwrap().unmeasured_part().unwrap();
    let file = world.session.open_part(seen.name).unwrap();
    let from = panorec::publisher::usable_end(file, 0).unwrap();
    let end = grid(6.0);
    world.record(panorec::media::grid::sample_at(from as i64), end, whole, true);

    let videos = world.publish().unwrap();
    let files = world.delivered();
    assert_eq!(files.len(), 3, "{files:?}");
    let mp4 = &files[2];
    assert_eq!(videos[0].filename, "lesson 1.mp4");
    assert!((videos[0].duration_seconds - end as f64 / 48_000.0).abs() < 1e-4);
    assert_eq!(videos[0].size_bytes, fs::metadata(mp4).unwrap().len());
    assert_decodes_silently(mp4);
    let folded = world.session.folded().unwrap();
    assert_eq!(folded.phase(), Phase::Finished);
    assert_eq!(folded.published.videos, Some(videos));

    // It can be done again.
    world.publish().unwrap();
    assert_decodes_silently(mp4);
}

#[test]
fn a_part_that_nobody_closed_is_measured() {
    let world = World::new(|_, _| {});
    world.record(0, grid(3.0), whole, false);
    let videos = world.publish().unwrap();
    assert!((videos[0].duration_seconds - 3.0).abs() < 0.03, "{videos:?}");
    assert_eq!(world.session.folded().unwrap().unmeasured_part(), None);
}

#[test]
fn hls_is_delivered_with_its_playlist_and_without_its_key() {
    let world = World::new(|delivery, folder| {
        delivery.format = Format::Hls;
        let file = folder.join("key");
        fs::write(&file, b"0123456789abcdef0123456789ABCDEF\n").unwrap();
        delivery.key = Some(HlsKey { file, url: "https://keys.example/1".parse().unwrap(), iv: None });
    });
    world.record(0, grid(5.0), whole, true);
    let videos = world.publish().unwrap();
    let files = world.delivered();
    assert_eq!(videos[0].filename, "lesson 1.m3u8");
    let sum: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert_eq!(videos[0].size_bytes, sum);
    let text = fs::read_to_string(files.last().unwrap()).unwrap();
    assert!(text.contains("URI=\"https://keys.example/1\"") && text.contains("lesson%201-00000.ts"), "{text}");
    for secret in ["0123456789abcdef", "0123456789ABCDEF"] {
        assert!(!text.contains(secret));
    }
}

#[test]
fn files_that_stay_in_the_session_are_there_and_nothing_else() {
    for (format, entry) in [(Format::Mp4, "lesson.mp4"), (Format::Hls, "lesson.m3u8")] {
        let world = World::new(|delivery, _| {
            delivery.format = format;
            // FFmpeg reads no escaped name from a disk.
            delivery.name = "lesson".parse().unwrap();
            delivery.destination = Destination::Session;
        });
        world.record(0, grid(5.0), whole, true);
        let videos = world.publish().unwrap();
        let files = world.delivered();
        assert!(files[0].starts_with(world.session.path()));
        assert_eq!((videos[0].filename.as_str(), &videos[0].url), (entry, &None));
        let sum: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
        assert_eq!(videos[0].size_bytes, sum);
        assert_decodes_silently(&files[0].with_file_name(entry));
        // Once more, the same files are there.
        assert_eq!(world.publish().unwrap()[0].size_bytes, sum);
        assert_eq!(world.delivered(), files);
    }
}

#[test]
fn what_fails_is_journaled_and_can_be_done_again() {
    let mut world = World::new(|_, _| {});
    world.record(0, grid(1.0), whole, true);
    let gone = Destination::Folder { path: world.folder.path().join("gone") };
    let right = std::mem::replace(&mut world.delivery.destination, gone);
    let error = world.publish().unwrap_err();
    assert!(matches!(error, PublishError::Store(_)), "{error}");
    let failure = world.session.folded().unwrap().published.failure.unwrap();
    assert_eq!(failure.0, PublishFailure::Delivery);
    world.delivery.destination = right;
    world.publish().unwrap();
    assert_eq!(world.session.folded().unwrap().published.failure, None);
}

#[test]
fn links_among_the_parts_are_refused_and_not_read() {
    let world = World::new(|_, _| {});
    world.record(0, grid(1.0), whole, true);
    let part = world.folder.path().join("session/recorder/parts/1-1.webm");
    let outside = world.folder.path().join("outside.webm");
    fs::rename(&part, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &part).unwrap();
    let error = world.publish().unwrap_err();
    assert!(matches!(error, PublishError::OpenPart { .. }), "{error}");
    assert!(world.delivered().is_empty());
}

#[test]
fn an_older_run_of_the_publisher_delivers_nothing() {
    let world = World::new(|_, _| {});
    world.record(0, grid(1.0), whole, true);
    let old = PublisherRun::claim(&world.session).unwrap();
    let mut newer = None;
    let mut overtake = |_| {
        newer.get_or_insert_with(|| PublisherRun::claim(&world.session).unwrap());
    };
    let error = publish(&world.session, &old, &world.delivery, &mut overtake).unwrap_err();
    assert!(error.to_string().contains("taken the session over"), "{error}");
    assert!(world.delivered().is_empty());
}

#[test]
fn a_session_without_parts_has_no_videos_and_is_finished() {
    let world = World::new(|_, _| {});
    assert_eq!(world.publish().unwrap(), []);
    assert_eq!(world.session.folded().unwrap().phase(), Phase::Finished);
}
