//! A video that is published while its parts still grow.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::parts::*;
use crate::support::*;
use panorec::egress::Resolver;
use panorec::media::grid::us_of;
use panorec::publisher::{Live, MadeFrom, Publication, PublishError};
use panorec::session::event::{PublisherEvent, RecorderEvent, Video};
use panorec::session::folder::{PublisherRun, RecorderRun, SessionDir};
use panorec::session::intent::By;
use panorec::session::name::{PartName, TaskId};
use panorec::session::request::{Delivery, Destination, Format, PageUrl, Request, SegmentDuration};

/// A recording that goes on, and its publisher.
struct World {
    folder: tempfile::TempDir,
    session: Arc<SessionDir>,
    run: Arc<PublisherRun>,
    delivery: Delivery,
    live: Live,
}

impl World {
    fn new(format: Format) -> World {
        let folder = tempfile::tempdir().unwrap();
        let delivered = folder.path().join("delivered");
        fs::create_dir(&delivered).unwrap();
        let delivery = Delivery {
            task_id: TaskId::random(),
            format,
            destination: Destination::Folder { path: delivered },
            name: "lesson".parse().unwrap(),
            segment_seconds: SegmentDuration::new(2).unwrap(),
            live_playlist: true,
            key: None,
            thumbnail: true,
            contact_sheet: false,
            intermediate: None,
            callback: None,
            served: None,
            remove_session: false,
        };
        let request = Request::new(PageUrl::parse("https://school.example/").unwrap());
        let session = Arc::new(SessionDir::create(&folder.path().join("session"), &request, &delivery).unwrap());
        let (run, live) = begin(&session, &delivery);
        World { folder, session, run, delivery, live }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("delivered").join(name)
    }

    fn tell(&self) {
        self.live.followed().tell(&self.session.folded().unwrap(), false);
    }

    /// Makes the video once all is recorded.
    fn finish(self) -> (Result<Vec<Video>, PublishError>, tempfile::TempDir) {
        let World { folder, session, run, delivery, live } = self;
        let publication =
            Publication { session: &session, run: &run, delivery: &delivery, resolver: &Resolver::default() };
        let made = publication.make(MadeFrom::Live(live), &mut |progress| panic!("made anew: {progress:?}"));
        (made, folder)
    }
}

fn begin(session: &Arc<SessionDir>, delivery: &Delivery) -> (Arc<PublisherRun>, Live) {
    let run = Arc::new(PublisherRun::claim(session).unwrap());
    run.append(PublisherEvent::RunStarted { run: run.number() }).unwrap();
    let live = Live::start(session, &run, delivery, &Resolver::default()).unwrap();
    (run, live)
}

/// A life of the recorder.
struct Recorder {
    run: RecorderRun,
    parts: u32,
}

impl Recorder {
    fn start(session: &SessionDir) -> Recorder {
        let run = RecorderRun::claim(session).unwrap();
        let measure =
            |part: panorec::session::fold::MediaPart, file| panorec::publisher::usable_end(file, part.start_us).ok();
        run.start(session, measure).unwrap();
        Recorder { run, parts: 0 }
    }

    fn open(&mut self, from: i64) -> (PartName, File) {
        self.parts += 1;
        let name = PartName { run: self.run.number(), part: self.parts };
        self.run.append(RecorderEvent::PartOpened { part: name, video_us: us_of(from) as u64 }).unwrap();
        (name, self.run.create_part(name).unwrap())
    }

    fn close(&self, part: PartName, to: i64) {
        self.run.append(RecorderEvent::PartClosed { part, end_video_us: us_of(to) as u64 }).unwrap();
    }

    fn stop(&self, at: i64) {
        self.run.append(RecorderEvent::Stopped { by: By::Intent, video_us: us_of(at) as u64 }).unwrap();
    }
}

fn bytes_of(from: i64, to: i64) -> Vec<u8> {
    part(Stretch { from, to, ..Stretch::seconds(0, 0) })
}

/// Three parts: one grows and is closed, one is torn by a crash, one grows until the end.
fn record(world: &World) -> i64 {
    let (first, second, end) = (grid(5.0), grid(9.0), grid(15.0));
    let mut recorder = Recorder::start(&world.session);
    let (name, mut file) = recorder.open(0);
    for piece in bytes_of(0, first).chunks(20_000) {
        file.write_all(piece).unwrap();
        world.tell();
    }
    recorder.close(name, first);
    let (_, mut file) = recorder.open(first);
    world.tell();
    let bytes = bytes_of(first, second);
    file.write_all(&bytes[..bytes.len() * 3 / 4]).unwrap();
    drop(recorder);
    let mut recorder = Recorder::start(&world.session);
    let folded = world.session.folded().unwrap();
    let torn = panorec::media::grid::sample_at(folded.recorded_us() as i64);
    assert!(torn > first && torn < second);
    let (name, mut file) = recorder.open(torn);
    for piece in bytes_of(torn, end).chunks(20_000) {
        file.write_all(piece).unwrap();
        world.tell();
    }
    recorder.close(name, end);
    recorder.stop(end);
    end
}

fn made_from_the_parts(session: &Path, name: &str) -> PathBuf {
    let session = SessionDir::open(session).unwrap();
    let run = PublisherRun::claim(&session).unwrap();
    run.append(PublisherEvent::RunStarted { run: run.number() }).unwrap();
    let delivery = Delivery { destination: Destination::Session, ..session.delivery().unwrap() };
    let publication = Publication { session: &session, run: &run, delivery: &delivery, resolver: &Resolver::default() };
    publication.make(MadeFrom::Parts, &mut |_| {}).unwrap();
    session.output_folder().join(name)
}

#[test]
fn an_mp4_that_grew_is_the_one_that_is_made_at_the_end() {
    let world = World::new(Format::Mp4);
    let end = record(&world);
    let mp4 = world.path("lesson.mp4");
    assert!(!mp4.exists(), "nothing half is shown");
    let (made, folder) = world.finish();
    let videos = made.unwrap();
    assert!((videos[0].duration_seconds - end as f64 / 48_000.0).abs() < 1e-4, "{videos:?}");
    assert_eq!(videos[0].size_bytes, fs::metadata(&mp4).unwrap().len());
    assert_decodes_silently(&mp4);
    assert_eq!(decoded_sound(&mp4).len() as i64, end);
    assert_in_sync(&mp4, 15);
    assert!(mp4.with_extension("jpg").exists(), "the thumbnail is there, too");
    let session = folder.path().join("session");
    let left: Vec<_> =
        fs::read_dir(session.join("publisher/output")).unwrap().map(|left| left.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
    let again = made_from_the_parts(&session, "lesson.mp4");
    assert!(fs::read(&again).unwrap() == fs::read(&mp4).unwrap(), "byte for byte");
}

#[test]
fn hls_can_be_followed_while_it_grows() {
    let world = World::new(Format::Hls);
    let mut recorder = Recorder::start(&world.session);
    let (first, end) = (grid(20.0), grid(24.0));
    let (name, mut file) = recorder.open(0);
    let list = world.path("lesson.m3u8");
    let mut while_it_grew = None;
    let bytes = bytes_of(0, first);
    for piece in bytes.chunks(bytes.len() / 40) {
        file.write_all(piece).unwrap();
        world.tell();
        std::thread::sleep(std::time::Duration::from_millis(100));
        let listed = fs::read_to_string(&list).ok().filter(|text| text.contains("lesson-00001.ts"));
        while_it_grew = while_it_grew.or(listed);
    }
    let text = while_it_grew.expect("a playlist while it is recorded");
    assert!(text.contains("#EXT-X-PLAYLIST-TYPE:EVENT") && !text.contains("#EXT-X-ENDLIST"), "{text}");
    assert!(world.path("lesson-00001.ts").exists());
    recorder.close(name, first);
    let (name, mut file) = recorder.open(first);
    file.write_all(&bytes_of(first, end)).unwrap();
    recorder.close(name, end);
    recorder.stop(end);
    let (made, folder) = world.finish();
    let videos = made.unwrap();
    assert!((videos[0].duration_seconds - 24.0).abs() < 0.03, "{videos:?}");
    let text = fs::read_to_string(&list).unwrap();
    assert!(text.contains("#EXT-X-ENDLIST") && text.contains("#EXT-X-DISCONTINUITY"), "{text}");
    let parsed = m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap();
    let total: f64 = parsed.segments.iter().map(|segment| f64::from(segment.duration)).sum();
    assert!((total - end as f64 / 48_000.0).abs() < 0.0001, "{total}");
    assert!(parsed.segments.iter().all(|segment| f64::from(segment.duration) <= parsed.target_duration as f64));
    let again = made_from_the_parts(&folder.path().join("session"), "lesson.m3u8");
    for segment in &parsed.segments {
        let [grown, made] = [&list, &again].map(|list| fs::read(list.with_file_name(&segment.uri)).unwrap());
        assert!(grown == made, "{} byte for byte", segment.uri);
    }
}

#[test]
fn nothing_recorded_is_nothing_published() {
    let world = World::new(Format::Mp4);
    let recorder = Recorder::start(&world.session);
    recorder.stop(0);
    let (made, _folder) = world.finish();
    assert_eq!(made.unwrap(), []);
}

#[test]
fn what_the_journal_takes_back_is_made_anew() {
    let world = World::new(Format::Mp4);
    let mut recorder = Recorder::start(&world.session);
    let (name, mut file) = recorder.open(0);
    file.write_all(&bytes_of(0, grid(10.0))).unwrap();
    world.tell();
    let growing = world.session.output_folder().join(".lesson.mp4.growing");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !growing.exists() {
        assert!(std::time::Instant::now() < until, "it does not grow");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // Much earlier than what was published already.
    let end = grid(3.0);
    recorder.close(name, end);
    recorder.stop(end);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let World { folder: _folder, session, run, delivery, live } = world;
    let publication = Publication { session: &session, run: &run, delivery: &delivery, resolver: &Resolver::default() };
    let videos = publication.make(MadeFrom::Live(live), &mut |_| {}).unwrap();
    assert!((videos[0].duration_seconds - 3.0).abs() < 0.03, "{videos:?}");
}
