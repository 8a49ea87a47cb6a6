//! The session folder: claims, takeover, torn journals, documents.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Barrier;

use proptest::prelude::*;
use tempfile::TempDir;

use panorec::session::event::{Entry, RecorderEvent};
use panorec::session::fold::{Folded, Phase};
use panorec::session::folder::{FolderError, PublisherRun, RecorderRun, Saying, SessionDir};
use panorec::session::history::{History, RunLog};
use panorec::session::intent::{By, IntentState};
use panorec::session::name::{PartName, RunNumber, TaskId};
use panorec::session::request::{Delivery, Destination, Format, PageUrl, Request, SegmentDuration};

use crate::world::{play_unfinished, steps};

pub fn request() -> Request {
    Request::new(PageUrl::parse("https://school.example/lesson?key=secret").unwrap())
}

pub fn delivery() -> Delivery {
    Delivery {
        task_id: TaskId::random(),
        format: Format::Mp4,
        destination: Destination::Folder { path: "/nowhere".into() },
        name: "lesson".parse().unwrap(),
        segment_seconds: SegmentDuration::default(),
        live_playlist: false,
        key: None,
        thumbnail: false,
        contact_sheet: false,
        intermediate: None,
        callback: None,
        served: None,
        remove_session: true,
    }
}

pub fn session() -> (TempDir, SessionDir) {
    let dir = tempfile::tempdir().unwrap();
    let session = SessionDir::create(&dir.path().join("s"), &request(), &delivery()).unwrap();
    (dir, session)
}

pub fn write_logs(session: &SessionDir, logs: &[RunLog<RecorderEvent>]) {
    for log in logs {
        let run = session.recorder_runs_folder().join(log.run.to_string());
        fs::create_dir_all(&run).unwrap();
        let lines: Vec<_> = log.lines.iter().map(|line| &line.entry).collect();
        fs::write(run.join("journal.jsonl"), text_of(&lines)).unwrap();
    }
}

fn text_of(entries: &[&Entry<RecorderEvent>]) -> String {
    entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect()
}

fn journal(session: &SessionDir, run: u32) -> std::path::PathBuf {
    session.recorder_runs_folder().join(format!("{run}/journal.jsonl"))
}

fn stop(video_us: u64) -> RecorderEvent {
    RecorderEvent::Stopped { by: By::Keyboard, video_us }
}

#[test]
fn what_was_asked_is_read_back() {
    let (_dir, session) = session();
    let again = SessionDir::open(session.path()).unwrap();
    assert_eq!(again.request().unwrap(), request());
    assert_eq!(again.delivery().unwrap().name.as_str(), "lesson");
    assert_eq!(again.folded().unwrap(), Folded::default());
    assert!(!again.recorder_is_alive().unwrap());
}

#[test]
fn a_folder_is_made_once_and_must_hold_a_session_to_be_opened() {
    let (dir, session) = session();
    let again = SessionDir::create(session.path(), &request(), &delivery());
    assert!(matches!(again, Err(FolderError::AlreadyThere { .. })), "{again:?}");
    for path in [dir.path().to_owned(), dir.path().join("missing")] {
        let opened = SessionDir::open(&path);
        assert!(matches!(opened, Err(FolderError::NoSession { .. })), "{opened:?}");
    }
}

#[test]
fn nobody_else_may_enter_a_session() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, session) = session();
    let mode = fs::metadata(session.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn every_claim_gets_its_own_number_however_many_claim_at_once() {
    let (_dir, session) = session();
    let barrier = Barrier::new(8);
    let mut numbers: Vec<u32> = std::thread::scope(|scope| {
        let claims: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    RecorderRun::claim(&session).unwrap().number().0
                })
            })
            .collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
}

#[test]
fn a_superseded_run_knows_and_writes_no_more() {
    let (_dir, session) = session();
    let old = RecorderRun::claim(&session).unwrap();
    old.start(&session, |_, _| None).unwrap();
    assert!(!old.is_superseded().unwrap());
    let new = RecorderRun::claim(&session).unwrap();
    assert!(old.is_superseded().unwrap());
    let refused = old.append(stop(0));
    assert!(matches!(refused, Err(FolderError::Superseded { .. })), "{refused:?}");
    let folded = new.start(&session, |_, _| None).unwrap();
    assert_eq!((folded.runs, folded.phase()), (2, Phase::Normal));
    assert_eq!(folded, session.folded().unwrap());
}

#[test]
fn a_run_counts_as_alive_while_it_is_held() {
    let (_dir, session) = session();
    let run = RecorderRun::claim(&session).unwrap();
    assert!(session.recorder_is_alive().unwrap());
    assert!(!session.publisher_is_alive().unwrap());
    drop(run);
    assert!(!session.recorder_is_alive().unwrap());
    let run = PublisherRun::claim(&session).unwrap();
    assert!(session.publisher_is_alive().unwrap());
    drop(run);
}

#[test]
fn a_takeover_refuses_an_open_part_that_is_a_link() {
    let (dir, session) = session();
    let old = RecorderRun::claim(&session).unwrap();
    old.start(&session, |_, _| None).unwrap();
    let part = PartName { run: RunNumber(1), part: 1 };
    old.append(RecorderEvent::PartOpened { part, video_us: 0 }).unwrap();
    drop(old);
    let parts = session.path().join("recorder/parts");
    fs::write(dir.path().join("secret"), "top secret").unwrap();
    fs::create_dir_all(&parts).unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret"), parts.join(part.to_string())).unwrap();
    let refused = RecorderRun::claim(&session).unwrap().start(&session, |_, _| panic!("read"));
    assert!(matches!(refused, Err(FolderError::Hostile { .. })), "{refused:?}");
}

#[test]
fn a_takeover_measures_the_part_that_was_left_open() {
    let (_dir, session) = session();
    let old = RecorderRun::claim(&session).unwrap();
    old.start(&session, |_, _| None).unwrap();
    let part = PartName { run: RunNumber(1), part: 1 };
    old.create_part(part).unwrap().write_all(b"media").unwrap();
    old.append(RecorderEvent::PartOpened { part, video_us: 0 }).unwrap();
    drop(old);

    let new = RecorderRun::claim(&session).unwrap();
    let folded = new
        .start(&session, |found, mut file| {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!((found.name, text.as_str()), (part, "media"));
            Some(1_000)
        })
        .unwrap();
    assert_eq!(folded.parts().map(|part| part.end_us).collect::<Vec<_>>(), [Some(1_000)]);
    // What the old run's file gets after that does not count.
    let mut late = fs::OpenOptions::new().append(true).open(journal(&session, 1)).unwrap();
    late.write_all(b"{\"v\":1,\"to").unwrap();
    late.write_all(b"rn}\n{\"v\":99}\n").unwrap();
    assert_eq!(session.folded().unwrap(), folded);
}

#[test]
fn a_part_is_created_once_and_by_its_own_run() {
    let (_dir, session) = session();
    let run = RecorderRun::claim(&session).unwrap();
    let part = PartName { run: RunNumber(1), part: 1 };
    run.create_part(part).unwrap();
    assert!(matches!(run.create_part(part), Err(FolderError::Io { .. })));
    let foreign = PartName { run: RunNumber(2), part: 1 };
    assert!(matches!(run.create_part(foreign), Err(FolderError::ForeignPart { .. })));
}

#[test]
fn sayings_are_raised_one_by_one_however_many_say_at_once() {
    let (_dir, session) = session();
    assert_eq!(session.intent().unwrap(), None);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2 {
                    session.tell(Saying::Be(IntentState::Paused)).unwrap();
                    session.tell(Saying::Refresh).unwrap();
                }
            });
        }
    });
    let intent = session.intent().unwrap().unwrap();
    assert_eq!((intent.state, intent.revision, intent.refresh), (IntentState::Paused, 8, 8));
    assert!(intent.at.is_some());
}

#[test]
fn an_event_too_long_to_be_read_is_not_written() {
    let (_dir, session) = session();
    let run = RecorderRun::claim(&session).unwrap();
    run.start(&session, |_, _| None).unwrap();
    let refused = run.append(RecorderEvent::Warning { text: "x".repeat(300 << 10) });
    assert!(matches!(refused, Err(FolderError::LongEvent { .. })));
    run.append(stop(0)).unwrap();
    assert_eq!(session.folded().unwrap().phase(), Phase::Canceled);
}

#[test]
fn the_result_is_replaced_as_a_whole() {
    let (_dir, session) = session();
    session.write_result(&serde_json::json!({"a": 1})).unwrap();
    session.write_result(&serde_json::json!({"b": 2})).unwrap();
    let result = fs::read_to_string(session.path().join("publisher/result.json")).unwrap();
    assert_eq!(result, "{\n  \"b\": 2\n}\n");
    let left = fs::read_dir(session.path().join("publisher")).unwrap().count();
    assert_eq!(left, 4, "delivery.json, result.json, runs, output");
}

fn cut(path: &Path, bytes: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

#[test]
fn a_journal_torn_anywhere_gives_its_whole_lines() {
    let (_dir, session) = session();
    let history = play_unfinished(&[
        crate::world::Step::Wait { ms: 100 },
        crate::world::Step::Pause { cut: true },
        crate::world::Step::Resume,
    ]);
    write_logs(&session, &history.recorder);
    let path = journal(&session, 1);
    let whole = fs::read(&path).unwrap();
    for bytes in (0..=whole.len()).rev() {
        cut(&path, bytes as u64);
        let read = session.history().unwrap();
        let lines = whole[..bytes].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(read.recorder[0].lines, history.recorder[0].lines[..lines]);
    }
}

#[test]
fn a_last_line_whose_blocks_never_came_to_disk_is_torn_too() {
    let (_dir, session) = session();
    let history = play_unfinished(&[]);
    write_logs(&session, &history.recorder);
    let path = journal(&session, 1);
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"\0\0\0\0ed\",\"video_us\":1}\n").unwrap();
    assert_eq!(session.history().unwrap(), history);
    // But not before another line.
    file.write_all(text_of(&[&history.recorder[0].lines[1].entry]).as_bytes()).unwrap();
    let refused = session.history();
    assert!(matches!(refused, Err(FolderError::BadEvent { .. })), "{refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_is_journaled_is_what_is_read(steps in steps(2_000)) {
        let (_dir, session) = session();
        let history = play_unfinished(&steps);
        write_logs(&session, &history.recorder);
        let read: History = session.history().unwrap();
        prop_assert_eq!(read, history);
    }
}
