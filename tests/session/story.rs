//! Single stories, told event by event.

use jiff::Timestamp;

use panorec::session::event::{
    DisplayKind, Entry, Failure, Moment, PublishFailure, PublisherEvent, RecorderEvent, SeenPart, SeenRun,
};
use panorec::session::exit::ExitCode;
use panorec::session::fold::{Folded, Phase};
use panorec::session::history::{History, RunLog};
use panorec::session::intent::{By, Intent, IntentState};
use panorec::session::name::{PartName, RunNumber, TaskId};
use panorec::session::status::{Items, Report, Status};

use crate::world::push;

fn at(seconds: f64) -> Moment {
    let created: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let us = (seconds * 1e6) as i64;
    Moment { wall: created + jiff::SignedDuration::from_micros(us), mono_us: us as u64 }
}

fn recorded(events: Vec<(f64, RecorderEvent)>) -> Folded {
    let mut log = RunLog { run: RunNumber(0), lines: Vec::new() };
    let mut logs = Vec::new();
    for (seconds, event) in events {
        if let RecorderEvent::RunStarted { run, .. } = &event {
            logs.push(std::mem::replace(&mut log, RunLog { run: *run, lines: Vec::new() }));
        }
        push(&mut log, at(seconds), event);
    }
    logs.push(log);
    logs.remove(0);
    Folded::of(&History::new(logs, Vec::new()))
}

fn published(folded: &mut Folded, seconds: f64, event: PublisherEvent) {
    folded.apply_publisher(&Entry { v: 1, at: at(seconds), event });
}

fn started() -> RecorderEvent {
    RecorderEvent::RunStarted { run: RunNumber(1), older: Vec::new() }
}

fn edge(by: By, state: IntentState) -> RecorderEvent {
    RecorderEvent::Edge { by, state: Some(state), reload: false, told: None }
}

fn part(run: u32, part: u32) -> PartName {
    PartName { run: RunNumber(run), part }
}

fn opened(video_us: u64) -> RecorderEvent {
    RecorderEvent::PartOpened { part: part(1, 1), video_us }
}

fn seen(bytes: u64, end_video_us: u64) -> Vec<SeenRun> {
    vec![SeenRun { run: RunNumber(1), journal_bytes: bytes, parts: vec![SeenPart { part: part(1, 1), end_video_us }] }]
}

#[test]
fn before_the_first_frame_it_is_normal_or_paused() {
    let folded = recorded(vec![(0.0, started())]);
    assert_eq!((folded.phase(), folded.start_time()), (Phase::Normal, None));

    let paused = vec![(0.0, started()), (1.0, edge(By::Intent, IntentState::Paused))];
    let folded = recorded(paused.clone());
    assert_eq!((folded.phase(), folded.start_time()), (Phase::Paused, None));

    let resumed = [paused, vec![(2.0, edge(By::Intent, IntentState::Recording))]].concat();
    let folded = recorded(resumed);
    assert_eq!((folded.phase(), folded.start_time()), (Phase::Recording, None));

    let manual = vec![(0.0, started()), (3.0, edge(By::Page, IntentState::Recording))];
    assert_eq!(recorded(manual).phase(), Phase::Normal);
}

#[test]
fn stop_is_canceled_at_once_and_final() {
    let folded = recorded(vec![
        (0.0, started()),
        (1.0, opened(0)),
        (5.0, edge(By::Keyboard, IntentState::Stopped)),
        (6.0, edge(By::Page, IntentState::Recording)),
    ]);
    assert_eq!(folded.phase(), Phase::Canceled);
    assert_eq!(folded.intent, IntentState::Stopped);
    assert_eq!(folded.cancel_time(), Some(at(5.0).wall));
    assert_eq!(folded.stop_time(), None);
}

#[test]
fn a_stop_was_when_it_was_said() {
    let stop = |said: f64, journaled: f64| {
        let told = Intent { state: IntentState::Stopped, revision: 1, at: Some(at(said).wall), ..Intent::default() };
        recorded(vec![
            (0.0, started()),
            (1.0, opened(0)),
            (
                journaled,
                RecorderEvent::Edge { by: By::Intent, state: Some(told.state), reload: false, told: Some(told) },
            ),
            (journaled + 0.1, edge(By::Page, IntentState::Stopped)),
            (journaled + 0.5, RecorderEvent::Stopped { by: By::Intent, video_us: 4_000_000 }),
        ])
    };
    for (said, journaled, shown) in [(4.95, 5.05, 4.95), (7.0, 5.0, 7.0), (500.0, 5.0, 5.0)] {
        let folded = stop(said, journaled);
        assert_eq!(folded.cancel_time(), Some(at(shown).wall), "said at {said}");
        assert!(folded.stop_time() >= folded.cancel_time());
    }
}

#[test]
fn a_killed_recorder_leaves_a_gap_of_its_own_length() {
    let folded = recorded(vec![
        (0.0, started()),
        (1.0, opened(0)),
        (12.0, RecorderEvent::RunStarted { run: RunNumber(2), older: seen(9_999, 8_500_000) }),
        (14.0, RecorderEvent::PartOpened { part: part(2, 1), video_us: 8_500_000 }),
        (20.0, RecorderEvent::Stopped { by: By::Page, video_us: 14_500_000 }),
    ]);
    let gap = folded.gaps()[0];
    assert_eq!((folded.gaps().len(), gap.at_us, gap.lost_us), (1, 8_500_000, 4_500_000));
    assert_eq!(folded.wall_us(), Some(19_000_000));
    assert_eq!(folded.runs, 2);
}

#[test]
fn a_recorder_killed_while_paused_leaves_no_gap() {
    let folded = recorded(vec![
        (0.0, started()),
        (1.0, opened(0)),
        (3.0, edge(By::Intent, IntentState::Paused)),
        (3.0, RecorderEvent::Paused { by: By::Intent, video_us: 2_000_000, cut: true }),
        (60.0, RecorderEvent::RunStarted { run: RunNumber(2), older: seen(9_999, 2_000_000) }),
        (70.0, edge(By::Intent, IntentState::Recording)),
        (70.0, RecorderEvent::Resumed { video_us: 2_000_000 }),
        (71.0, RecorderEvent::PartOpened { part: part(2, 1), video_us: 2_000_000 }),
        (80.0, RecorderEvent::Stopped { by: By::Page, video_us: 11_000_000 }),
    ]);
    assert!(folded.gaps().is_empty());
    assert_eq!(folded.pauses().len(), 1);
    assert_eq!(folded.pauses()[0].length_us, 68_000_000);
}

#[test]
fn a_pause_before_the_first_frame_takes_nothing_from_the_video() {
    let folded = recorded(vec![
        (0.0, started()),
        (1.0, edge(By::Intent, IntentState::Paused)),
        (1.0, RecorderEvent::Paused { by: By::Intent, video_us: 0, cut: true }),
        (9.0, edge(By::Intent, IntentState::Recording)),
        (9.0, RecorderEvent::Resumed { video_us: 0 }),
        (10.0, opened(0)),
    ]);
    assert_eq!(folded.start_time(), Some(at(10.0).wall));
    assert!(folded.pauses().is_empty());
    assert_eq!(folded.phase(), Phase::Recording);
}

#[test]
fn a_recording_whose_recorder_never_came_back_stops_where_its_media_ends() {
    let mut folded = recorded(vec![(0.0, started()), (1.0, opened(0))]);
    assert_eq!(folded.unmeasured_part().map(|found| found.name), Some(part(1, 1)));
    published(&mut folded, 50.0, PublisherEvent::RunStarted { run: RunNumber(1) });
    let measured = PublisherEvent::MediaMeasured { part: part(1, 1), end_video_us: 7_000_000 };
    published(&mut folded, 50.1, measured);
    published(&mut folded, 50.2, PublisherEvent::TranscodeStarted);
    assert_eq!(folded.phase(), Phase::Transcode);
    assert_eq!(folded.stop_time(), Some(at(8.0).wall));
    assert_eq!(folded.recorded_us(), 7_000_000);
}

#[test]
fn reloads_asked_while_no_run_lived_are_fulfilled_by_the_new_load() {
    let reload = |refresh| RecorderEvent::Edge {
        by: By::Intent,
        state: None,
        reload: true,
        told: Some(Intent { refresh, ..Intent::default() }),
    };
    let folded = recorded(vec![
        (0.0, started()),
        (0.1, reload(1)),
        (0.2, reload(2)),
        (1.0, RecorderEvent::PageLoaded),
        (2.0, reload(3)),
    ]);
    assert_eq!((folded.refreshes.asked, folded.refreshes.done), (3, 2));
    assert_eq!(folded.told.refresh, 3);
    assert_eq!(folded.phase(), Phase::Normal);
}

#[test]
fn exit_codes_follow_from_the_fold() {
    let failed = |failure| RecorderEvent::Failed { failure, message: "why".into() };
    for (failure, code) in [
        (Failure::PageLoad, ExitCode::PageNotLoaded),
        (Failure::NoSandbox, ExitCode::NoSandbox),
        (Failure::NoStartSignal, ExitCode::NoStartSignal),
        (Failure::Internal, ExitCode::Internal),
    ] {
        let mut folded = recorded(vec![(0.0, started()), (1.0, failed(failure))]);
        assert_eq!(ExitCode::of(&folded), code);
        published(&mut folded, 2.0, PublisherEvent::RunStarted { run: RunNumber(1) });
        published(&mut folded, 2.0, PublisherEvent::Delivered { videos: Vec::new() });
        published(&mut folded, 2.0, PublisherEvent::Finished);
        assert_eq!(ExitCode::of(&folded), code);
        let status = serde_json::to_value(Status::of(&folded, Items::All)).unwrap();
        assert_eq!(status["result"]["errorCode"], "InternalErr");
    }

    let stopped = vec![(0.0, started()), (1.0, edge(By::Keyboard, IntentState::Stopped))];
    let mut folded = recorded(stopped);
    assert_eq!(ExitCode::of(&folded), ExitCode::Interrupted);
    published(&mut folded, 2.0, PublisherEvent::Finished);
    assert_eq!(ExitCode::of(&folded), ExitCode::NothingRecorded);
    let status = serde_json::to_value(Status::of(&folded, Items::All)).unwrap();
    assert_eq!(status["result"], serde_json::json!({"videos": []}));

    for (failure, code) in
        [(PublishFailure::Finishing, ExitCode::FinishingFailed), (PublishFailure::Delivery, ExitCode::DeliveryFailed)]
    {
        let mut folded = recorded(vec![(0.0, started()), (1.0, opened(0))]);
        let message = "no space".to_owned();
        published(&mut folded, 2.0, PublisherEvent::Failed { failure, message });
        assert_eq!(ExitCode::of(&folded), code);
        // A newer run tries again.
        published(&mut folded, 3.0, PublisherEvent::RunStarted { run: RunNumber(2) });
        assert_eq!(ExitCode::of(&folded), ExitCode::Interrupted);
    }
}

#[test]
fn the_status_speaks_the_contract() {
    let mut folded = recorded(vec![
        (0.0, started()),
        (
            0.5,
            RecorderEvent::BrowserStarted {
                version: "Chromium 156".into(),
                sandboxed: true,
                display: DisplayKind::Xorg,
            },
        ),
        (1.0, opened(0)),
        (3.0, edge(By::Page, IntentState::Paused)),
        (3.0, RecorderEvent::Paused { by: By::Page, video_us: 2_000_000, cut: true }),
        (4.5, edge(By::Intent, IntentState::Recording)),
        (4.5, RecorderEvent::Resumed { video_us: 2_000_000 }),
        (6.0, RecorderEvent::Warning { text: "odd size".into() }),
        (8.5, edge(By::Limit, IntentState::Stopped)),
        (8.5, RecorderEvent::PartClosed { part: part(1, 1), end_video_us: 6_000_000 }),
        (8.5, RecorderEvent::Stopped { by: By::Limit, video_us: 6_000_000 }),
    ]);
    published(&mut folded, 9.0, PublisherEvent::RunStarted { run: RunNumber(1) });
    published(&mut folded, 9.0, PublisherEvent::TranscodeStarted);
    let task: TaskId = "lesson-42".parse().unwrap();
    let report = Report::of(task, &folded, Items::All);
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        serde_json::json!({
            "taskId": "lesson-42",
            "phase": "transcode",
            "createTime": "2026-11-22T10:00:00Z",
            "startTime": "2026-11-22T10:00:01Z",
            "cancelTime": "2026-11-22T10:00:08.5Z",
            "stopTime": "2026-11-22T10:00:08.5Z",
            "pauses": {"count": 1, "totalSeconds": 1.5, "truncated": false,
                       "items": [{"atSeconds": 2.0, "seconds": 1.5, "by": "page"}]},
            "gaps": {"count": 0, "totalSeconds": 0.0, "truncated": false, "items": []},
            "recorder": {"runs": 1, "browserVersion": "Chromium 156", "sandboxed": true,
                         "display": "xorg"},
            "warnings": ["odd size"],
        })
    );
}
