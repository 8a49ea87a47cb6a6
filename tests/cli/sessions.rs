//! Commands on sessions that somebody else began.

use std::process::Stdio;

use inotify::{Inotify, WatchMask};

use panorec::session::event::{PublisherEvent, RecorderEvent, Video};
use panorec::session::fold::Phase;
use panorec::session::folder::{PublisherRun, RecorderRun, SessionDir};
use panorec::session::intent::{By, IntentState};
use panorec::session::name::{PartName, TaskId};
use panorec::session::request::{Delivery, Destination, Format, PageUrl, Request, SegmentDuration};

use crate::{PAGE, Place, says};

fn session(place: &Place) -> SessionDir {
    let delivery = Delivery {
        task_id: TaskId::random(),
        format: Format::Mp4,
        destination: Destination::Folder { path: place.path().to_owned() },
        name: "lesson".parse().unwrap(),
        segment_seconds: SegmentDuration::default(),
        live_playlist: false,
        key: None,
        thumbnail: false,
        contact_sheet: false,
        intermediate: None,
        callback: None,
        served: None,
        remove_session: false,
    };
    let request = Request::new(PageUrl::parse(PAGE).unwrap());
    SessionDir::create(&place.path().join("s"), &request, &delivery).unwrap()
}

/// A recorder that has recorded two seconds.
fn recording(session: &SessionDir) -> RecorderRun {
    let run = RecorderRun::claim(session).unwrap();
    run.start(session, |_, _| None).unwrap();
    let part = PartName { run: run.number(), part: 1 };
    run.append(RecorderEvent::PartOpened { part, video_us: 0 }).unwrap();
    run
}

#[track_caller]
fn ends(place: &Place, args: &[&str], code: i32) -> (String, String) {
    let output = place.panorec(args);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "{args:?}: {out}{err}");
    (out, err)
}

#[test]
fn ctl_ends_when_the_recorder_has_journaled_what_was_said() {
    let place = Place::new();
    let session = session(&place);
    let run = recording(&session);
    let mut told = Inotify::init().unwrap();
    told.watches().add(session.intent_folder(), WatchMask::MOVED_TO).unwrap();

    let mut ctl = place.command(&["ctl", "s", "pause"]);
    let mut ctl = ctl.stdout(Stdio::piped()).spawn().unwrap();
    told.read_events_blocking(&mut [0; 4096]).unwrap();
    let intent = session.intent().unwrap().unwrap();
    assert_eq!((intent.state, intent.revision), (IntentState::Paused, 1));
    assert_eq!(ctl.try_wait().unwrap(), None, "it did not wait for the recorder");

    run.append(RecorderEvent::Edge { by: By::Intent, state: Some(intent.state), reload: false, told: Some(intent) })
        .unwrap();
    let output = ctl.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    says(&String::from_utf8(output.stdout).unwrap(), "s: paused at 0:00:0");
    assert_eq!(session.folded().unwrap().phase(), Phase::Paused);
}

#[test]
fn what_is_said_to_a_dead_session_waits_for_its_resume() {
    let place = Place::new();
    let session = session(&place);
    drop(recording(&session));
    let (out, _) = ends(&place, &["ctl", "s", "pause"], 0);
    says(&out, "nothing records there now");
    says(&out, "panorec resume s");
    ends(&place, &["ctl", "s", "refresh"], 0);
    let intent = session.intent().unwrap().unwrap();
    assert_eq!((intent.state, intent.refresh), (IntentState::Paused, 1));
    assert_eq!(session.folded().unwrap().phase(), Phase::Recording);
}

#[test]
fn a_stopped_recording_can_be_told_nothing_more() {
    let place = Place::new();
    let session = session(&place);
    let run = recording(&session);
    run.append(RecorderEvent::Stopped { by: By::Limit, video_us: 9 }).unwrap();
    for word in ["pause", "resume", "refresh"] {
        let (_, err) = ends(&place, &["ctl", "s", word], 2);
        says(&err, "the recording is stopped, and that is final");
    }
    let (out, _) = ends(&place, &["ctl", "s", "stop"], 0);
    says(&out, "stopped already");
    assert_eq!(session.intent().unwrap(), None);
}

#[test]
fn a_live_session_is_not_published() {
    let place = Place::new();
    let session = session(&place);
    let _run = recording(&session);
    let (_, err) = ends(&place, &["publish", "s"], 2);
    says(&err, "panorec ctl s stop");
}

#[test]
fn resume_of_a_finished_session_says_so() {
    let place = Place::new();
    let session = session(&place);
    let run = recording(&session);
    run.append(RecorderEvent::Stopped { by: By::Limit, video_us: 9 }).unwrap();
    let publisher = PublisherRun::claim(&session).unwrap();
    let video = Video { filename: "lesson.mp4".into(), size_bytes: 5, duration_seconds: 2.0, url: None, file_id: None };
    for event in [
        PublisherEvent::RunStarted { run: publisher.number() },
        PublisherEvent::TranscodeStarted,
        PublisherEvent::Delivered { videos: vec![video] },
        PublisherEvent::Finished,
    ] {
        publisher.append(event).unwrap();
    }
    let (out, err) = ends(&place, &["resume", "s", "--json"], 0);
    says(&err, "finished already");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["phase"], "finished");
    assert_eq!(json["result"]["videos"][0]["filename"], "lesson.mp4");
    assert_eq!(json["taskId"], session.delivery().unwrap().task_id.as_str());
}
