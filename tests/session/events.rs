//! Any events at all, sensible or not.

use jiff::Timestamp;
use proptest::prelude::*;

use panorec::session::event::{
    DisplayKind, Entry, Failure, Figures, GapCause, Moment, PublishFailure, PublisherEvent, RecorderEvent, SeenPart,
    SeenRun, Video,
};
use panorec::session::history::{History, Line, RunLog};
use panorec::session::intent::{By, Intent, IntentState};
use panorec::session::name::{PartName, RunNumber};

fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![0..20_000_000u64, Just(0), Just(u64::MAX), any::<u64>()]
}

fn any_run() -> impl Strategy<Value = RunNumber> {
    prop_oneof![0..5u32, any::<u32>()].prop_map(RunNumber)
}

fn any_part() -> impl Strategy<Value = PartName> {
    (any_run(), 0..4u32).prop_map(|(run, part)| PartName { run, part })
}

fn any_wall() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Just(Timestamp::MIN),
        Just(Timestamp::MAX),
        (-1_000_000_000..4_000_000_000i64).prop_map(|second| Timestamp::from_second(second).unwrap()),
    ]
}

fn any_moment() -> impl Strategy<Value = Moment> {
    (any_wall(), any_number()).prop_map(|(wall, mono_us)| Moment { wall, mono_us })
}

fn any_by() -> impl Strategy<Value = By> {
    prop_oneof![Just(By::Intent), Just(By::Page), Just(By::Keyboard), Just(By::Recorder)]
}

fn any_state() -> impl Strategy<Value = IntentState> {
    prop_oneof![
        3 => Just(IntentState::Recording),
        3 => Just(IntentState::Paused),
        1 => Just(IntentState::Stopped),
    ]
}

fn any_told() -> impl Strategy<Value = Option<Intent>> {
    let intent = (any_state(), any_number(), any_number(), prop::option::of(any_wall()))
        .prop_map(|(state, refresh, revision, at)| Intent { state, refresh, revision, at });
    prop::option::of(intent)
}

fn any_seen() -> impl Strategy<Value = Vec<SeenRun>> {
    let part = (any_part(), any_number()).prop_map(|(part, end_video_us)| SeenPart { part, end_video_us });
    // Often in the middle of a journal.
    let journal_bytes = prop_oneof![any_number(), 0..3_000u64];
    let run = (any_run(), journal_bytes, prop::collection::vec(part, 0..4))
        .prop_map(|(run, journal_bytes, parts)| SeenRun { run, journal_bytes, parts });
    prop::collection::vec(run, 0..4)
}

fn any_recorder_event() -> impl Strategy<Value = RecorderEvent> {
    use RecorderEvent as E;
    let text = || ".{0,40}";
    prop_oneof![
        1 => (any_run(), any_seen()).prop_map(|(run, older)| E::RunStarted { run, older }),
        1 => (text(), any::<bool>()).prop_map(|(version, sandboxed)| E::BrowserStarted {
            version,
            sandboxed,
            display: DisplayKind::Xvfb,
        }),
        1 => Just(E::PageLoaded),
        1 => text().prop_map(|reason| E::PageFailed { reason }),
        3 => (any_by(), prop::option::of(any_state()), any::<bool>(), any_told())
            .prop_map(|(by, state, reload, told)| E::Edge { by, state, reload, told }),
        4 => (any_part(), any_number())
            .prop_map(|(part, video_us)| E::PartOpened { part, video_us }),
        2 => (any_part(), any_number())
            .prop_map(|(part, end_video_us)| E::PartClosed { part, end_video_us }),
        3 => (any_by(), any_number(), any::<bool>())
            .prop_map(|(by, video_us, cut)| E::Paused { by, video_us, cut }),
        3 => any_number().prop_map(|video_us| E::Resumed { video_us }),
        3 => any_number()
            .prop_map(|video_us| E::GapBegan { cause: GapCause::PageHung, video_us }),
        3 => any_number().prop_map(|video_us| E::GapEnded { video_us }),
        1 => Just(E::Refreshed),
        1 => (any_number(), any_number(), any_number(), any_number(), any_number()).prop_map(
            |(frames, dropped_frames, longest_freeze_us, black_us, silent_us)| E::Figures(Figures {
                frames,
                dropped_frames,
                longest_freeze_us,
                black_us,
                silent_us,
            })
        ),
        1 => text().prop_map(|text| E::Warning { text }),
        1 => (any_by(), any_number()).prop_map(|(by, video_us)| E::Stopped { by, video_us }),
        1 => text().prop_map(|message| E::Failed { failure: Failure::Internal, message }),
    ]
}

fn any_publisher_event() -> impl Strategy<Value = PublisherEvent> {
    use PublisherEvent as E;
    let video = (".{0,9}", any_number(), 0.0..1e9f64).prop_map(|(filename, size_bytes, seconds)| {
        Video {
            filename,
            size_bytes,
            // Halves are told exactly by any JSON reader.
            duration_seconds: seconds.floor() / 2.0,
            url: None,
            file_id: None,
        }
    });
    prop_oneof![
        any_run().prop_map(|run| E::RunStarted { run }),
        (any_part(), any_number()).prop_map(|(part, end_video_us)| E::MediaMeasured { part, end_video_us }),
        Just(E::TranscodeStarted),
        Just(E::UploadStarted),
        (".{0,9}", ".{0,9}").prop_map(|(key, upload_id)| E::PartsBegun { key, upload_id }),
        prop::collection::vec(video, 0..3).prop_map(|videos| E::Delivered { videos }),
        Just(E::CallbackStarted),
        (any::<u32>(), prop::option::of(".{0,40}")).prop_map(|(attempt, error)| E::CallbackTried { attempt, error }),
        ".{0,40}".prop_map(|message| E::CallbackFailed { message }),
        ".{0,40}".prop_map(|message| E::Failed { failure: PublishFailure::Delivery, message }),
        ".{0,40}".prop_map(|text| E::Warning { text }),
        Just(E::Finished),
    ]
}

fn any_entry<E: std::fmt::Debug>(event: impl Strategy<Value = E>) -> impl Strategy<Value = Entry<E>> {
    (any_moment(), event).prop_map(|(at, event)| Entry { v: 1, at, event })
}

pub fn any_recorder_entry() -> impl Strategy<Value = Entry<RecorderEvent>> {
    any_entry(any_recorder_event())
}

pub fn any_publisher_entry() -> impl Strategy<Value = Entry<PublisherEvent>> {
    any_entry(any_publisher_event())
}

fn any_log<E: std::fmt::Debug>(entry: impl Strategy<Value = Entry<E>>) -> impl Strategy<Value = RunLog<E>> {
    let line = (entry, 1..300u64);
    (any_run(), prop::collection::vec(line, 0..24)).prop_map(|(run, lines)| {
        let mut end_offset = 0;
        let lines = lines
            .into_iter()
            .map(|(entry, bytes)| {
                end_offset += bytes;
                Line { entry, end_offset }
            })
            .collect();
        RunLog { run, lines }
    })
}

/// The journals of the recorder's runs, and of the publisher's.
pub type Logs = (Vec<RunLog<RecorderEvent>>, Vec<RunLog<PublisherEvent>>);

pub fn any_logs() -> impl Strategy<Value = Logs> {
    let recorder = prop::collection::vec(any_log(any_recorder_entry()), 0..4);
    let publisher = prop::collection::vec(any_log(any_publisher_entry()), 0..3);
    (recorder, publisher)
}

pub fn any_history() -> impl Strategy<Value = History> {
    any_logs().prop_map(|(recorder, publisher)| History::new(recorder, publisher))
}
