//! What happened, as it stands in the journals. One line of JSON an event.
//!
//! Times: `at` carries both clocks; `video_us` is a place in the video, in microseconds of
//! recorded time since its first frame.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::intent::{By, Intent, IntentState};
use super::name::{PartName, RunNumber};

/// The version this program writes. A journal with a newer one is refused, not guessed at.
pub const EVENT_VERSION: u32 = 1;

/// When something took effect, on both clocks. The line may be written a little later, so in a
/// journal moments can step back slightly; the fold bears that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// Wall clock; serves only to tell the length of holes between runs, and for people.
    pub wall: Timestamp,
    /// CLOCK_BOOTTIME in microseconds; comparable only inside one run.
    pub mono_us: u64,
}

impl Moment {
    /// This moment.
    pub fn now() -> Moment {
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(boot.tv_sec).unwrap_or(0);
        let micros = u64::try_from(boot.tv_nsec).unwrap_or(0) / 1_000;
        Moment { wall: Timestamp::now(), mono_us: seconds * 1_000_000 + micros }
    }
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry<E> {
    /// The version of the event's form, see [`EVENT_VERSION`].
    pub v: u32,
    pub at: Moment,
    #[serde(flatten)]
    pub event: E,
}

/// How much of an older run a new run saw when it took over; the fold counts no more of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenRun {
    pub run: RunNumber,
    /// Whole journal lines seen, in bytes.
    pub journal_bytes: u64,
    pub parts: Vec<SeenPart>,
}

/// A part of an older run as its successor found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenPart {
    pub part: PartName,
    /// Where its usable media ends, as a place in the video.
    pub end_video_us: u64,
}

/// Why a stretch is missing from the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum GapCause {
    BrowserDied,
    RendererDied,
    /// The page did not answer for a while and its renderer was ended.
    PageHung,
    /// The largest renderer was ended before memory ran out.
    OutOfMemory,
    DisplayDied,
    SoundDied,
    EncoderDied,
    /// The recorder itself was gone: killed, its pod replaced, the machine restarted.
    RecorderDied,
    /// A reload after the page was lost.
    PageLost,
}

/// Which X server shows the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DisplayKind {
    Xorg,
    Xvfb,
}

/// Why a recording ended without (or before) what was asked; the exit code follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Failure {
    /// The first load failed: DNS, connection, certificate, HTTP status, time-out.
    PageLoad,
    /// No usable sandbox for Chrome.
    NoSandbox,
    /// No startRecord() in time.
    NoStartSignal,
    DiskFull,
    /// Something of ours or of the machine's: no X server, no FFmpeg, …
    Internal,
}

/// Figures of the recorder, written about every ten seconds and at the end; totals of this run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Pictures given to the encoder.
    pub frames: u64,
    /// Changed pictures that could not be kept because the encoder was behind.
    pub dropped_frames: u64,
    /// Longest time between two pictures of a changing page, in microseconds.
    pub longest_freeze_us: u64,
    /// How long the page was black for two seconds and more, in microseconds of the video.
    #[serde(default)]
    pub black_us: u64,
    /// How long nothing was to be heard for two seconds and more, in microseconds of the video.
    #[serde(default)]
    pub silent_us: u64,
}

/// What a recorder writes to `recorder/runs/<n>/journal.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RecorderEvent {
    /// First in every run.
    RunStarted {
        run: RunNumber,
        older: Vec<SeenRun>,
    },
    BrowserStarted {
        version: String,
        sandboxed: bool,
        display: DisplayKind,
    },
    /// The page was committed with a success and has painted.
    PageLoaded,
    /// A load failed; the text has no query string.
    PageFailed {
        reason: String,
    },
    /// A change of what is wanted, journaled before it takes effect. `state` None: only a
    /// reload. `told` is the told intent it came from.
    Edge {
        by: By,
        state: Option<IntentState>,
        reload: bool,
        told: Option<Intent>,
    },
    /// The first frame of a part; the first of all is the start of the recording.
    PartOpened {
        part: PartName,
        video_us: u64,
    },
    /// The part is complete and on disk.
    PartClosed {
        part: PartName,
        end_video_us: u64,
    },
    /// Capture paused here (cut: video time stands still until `Resumed`; freeze or black: it
    /// runs on).
    Paused {
        by: By,
        video_us: u64,
        cut: bool,
    },
    Resumed {
        video_us: u64,
    },
    /// Nothing more of the page from here on, until `GapEnded`.
    GapBegan {
        cause: GapCause,
        video_us: u64,
    },
    GapEnded {
        video_us: u64,
    },
    Refreshed,
    Figures(Figures),
    /// Something a person should know; ends up in the result's warnings.
    Warning {
        text: String,
    },
    /// Capture is over. Last but for `Failed`.
    Stopped {
        by: By,
        video_us: u64,
    },
    Failed {
        failure: Failure,
        message: String,
    },
}

/// A finished file, as the result lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Video {
    /// The name of the file that a player opens.
    pub filename: String,
    /// The size of all its files, in bytes.
    pub size_bytes: u64,
    /// The length of the video, in seconds.
    pub duration_seconds: f64,
    /// Where it can be had from, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its id in VOD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
}

/// Why publishing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PublishFailure {
    /// The parts could not be made into a video.
    Finishing,
    /// The video could not be brought to its destination.
    Delivery,
}

/// What a publisher writes to `publisher/runs/<n>/journal.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PublisherEvent {
    RunStarted {
        run: RunNumber,
    },
    /// The end of a part that its recorder never closed, as found by reading the part: a
    /// recording whose recorder is gone for good is finished from the folder.
    MediaMeasured {
        part: PartName,
        end_video_us: u64,
    },
    TranscodeStarted,
    UploadStarted,
    /// An object is being made of parts; whoever goes on does so in the same upload, and none is left behind.
    PartsBegun {
        key: String,
        upload_id: String,
    },
    /// Everything is where it belongs. Empty when nothing was recorded.
    Delivered {
        videos: Vec<Video>,
    },
    CallbackStarted,
    /// A try to tell of the end begins; it counts, whatever becomes of it.
    CallbackTrying {
        attempt: u32,
    },
    /// A try to tell of the end; None: it was taken.
    CallbackTried {
        attempt: u32,
        error: Option<String>,
    },
    CallbackFailed {
        message: String,
    },
    Failed {
        failure: PublishFailure,
        message: String,
    },
    Warning {
        text: String,
    },
    Finished,
}
