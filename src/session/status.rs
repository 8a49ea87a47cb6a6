//! The status of the contract: what the resource shows, result.json holds and --json prints.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::event::Video;
use super::event::{DisplayKind, Failure, GapCause, PublishFailure};
use super::fold::{Folded, Gap, Pause, Phase, Warnings};
use super::intent::By;
use super::name::TaskId;
use super::request::Delivery;

/// How many pauses and gaps a summary lists.
pub const NEWEST_ITEMS: usize = 64;

/// Which pauses and gaps to list; counts and totals always cover all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Items {
    /// The newest [`NEWEST_ITEMS`]: small however long the recording was.
    Newest,
    /// All of them, as in result.json.
    All,
}

/// `status` of the contract. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<StatusResult>,
    pub pauses: Listing<PauseItem>,
    pub gaps: Listing<GapItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    pub recorder: RecorderStatus,
}

/// What --json prints and result.json holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub task_id: TaskId,
    #[serde(flatten)]
    pub status: Status,
    #[serde(default)]
    pub warnings: Warnings,
    /// Which request to publish again this answers; None: the first publishing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub republish: Option<String>,
}

/// The error code of a recording that could not be made.
pub const NOT_RECORDED: &str = "InternalErr";

/// The outcome. An error code is one of the Action API's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusResult {
    /// What failed, in the Action API's words; absent: nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What failed, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The finished videos: one, or none when nothing was recorded or it could not be delivered.
    pub videos: Vec<Video>,
}

/// Pauses or gaps: all are counted, some are listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listing<T> {
    /// How many there were in all.
    pub count: usize,
    /// How long they were in all.
    pub total_seconds: f64,
    /// Whether `items` lacks the older ones.
    pub truncated: bool,
    /// Each of them, in their order.
    pub items: Vec<T>,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PauseItem {
    /// Where in the video it began, in seconds.
    pub at_seconds: f64,
    /// How long it was, in seconds.
    pub seconds: f64,
    /// Who wanted it: intent (kubectl, the gateway, ctl), page, keyboard, limit or recorder.
    pub by: By,
}

/// A stretch that is missing from the video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GapItem {
    /// Where in the video it is, in seconds.
    pub at_seconds: f64,
    /// How much is missing, in seconds.
    pub lost_seconds: f64,
    /// What caused it.
    pub cause: GapCause,
}

/// What the content was like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Changed pictures that could not be kept, of all changed pictures; 0..=1.
    pub dropped_frame_share: f64,
    /// The longest time between two pictures of a changing page, in seconds.
    pub longest_freeze_seconds: f64,
    /// How much of the video is black for two seconds and more, beyond pauses; 0..=1.
    #[serde(default)]
    pub black_share: f64,
    /// How much of it is silent for two seconds and more, beyond pauses; 0..=1.
    #[serde(default)]
    pub silent_share: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecorderStatus {
    pub runs: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandboxed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<DisplayKind>,
}

impl Status {
    pub fn of(folded: &Folded, items: Items) -> Status {
        let browser = folded.browser.as_ref();
        Status {
            phase: folded.phase(),
            create_time: folded.create_time(),
            start_time: folded.start_time(),
            cancel_time: folded.cancel_time(),
            stop_time: folded.stop_time(),
            finish_time: folded.finish_time(),
            result: StatusResult::of(folded),
            pauses: Listing::of(folded.pauses(), items, PauseItem::of, |pause| pause.length_us),
            gaps: Listing::of(folded.gaps(), items, GapItem::of, |gap| gap.lost_us),
            content: Content::of(folded),
            recorder: RecorderStatus {
                runs: folded.runs,
                browser_version: browser.map(|browser| browser.version.clone()),
                sandboxed: browser.map(|browser| browser.sandboxed),
                display: browser.map(|browser| browser.display),
            },
        }
    }
}

impl Report {
    pub fn of(task_id: TaskId, folded: &Folded, items: Items) -> Report {
        Report { task_id, status: Status::of(folded, items), warnings: folded.warnings.clone(), republish: None }
    }

    /// Counts from when the recording was asked for, where the delivery says that: it may have begun later.
    pub fn date(&mut self, delivery: &Delivery) {
        if let Some(served) = &delivery.served {
            self.status.create_time = Some(served.created);
        }
    }
}

impl StatusResult {
    /// None while nothing is decided yet.
    fn of(folded: &Folded) -> Option<StatusResult> {
        let error = error_of(folded);
        if error.is_none() && folded.published.videos.is_none() && folded.phase() != Phase::Finished {
            return None;
        }
        let (error_code, error_message) = error.unzip();
        Some(StatusResult {
            error_code: error_code.map(str::to_owned),
            error_message,
            videos: folded.published.videos.clone().unwrap_or_default(),
        })
    }
}

/// The error in the words of the Action API.
fn error_of(folded: &Folded) -> Option<(&'static str, String)> {
    let published = &folded.published;
    if let Some((failure, message)) = &published.failure {
        return Some(match failure {
            PublishFailure::Finishing => ("InternalError", format!("video transcode failed({message})")),
            PublishFailure::Delivery => ("InternalError", format!("video upload failed({message})")),
        });
    }
    let has_video = published.videos.as_ref().is_some_and(|videos| !videos.is_empty());
    if let Some(failed) = folded.failure.as_ref().filter(|_| !has_video) {
        let message = match failed.failure {
            Failure::PageLoad => {
                format!("invalid RecordURL or unsupported RecordURL, please check again: {}", failed.message)
            }
            _ => failed.message.clone(),
        };
        return Some((NOT_RECORDED, message));
    }
    published
        .callback_failure
        .as_ref()
        .map(|message| ("CallbackFailed", format!("Callback failed even all tries. last error message:{message}")))
}

impl<T> Listing<T> {
    fn of<S>(all: &[S], items: Items, item: impl Fn(&S) -> T, us: impl Fn(&S) -> u64) -> Self {
        let from = match items {
            Items::Newest => all.len().saturating_sub(NEWEST_ITEMS),
            Items::All => 0,
        };
        Listing {
            count: all.len(),
            total_seconds: seconds(all.iter().map(us).fold(0, u64::saturating_add)),
            truncated: from > 0,
            items: all.iter().skip(from).map(item).collect(),
        }
    }
}

impl<T> Listing<T> {
    /// Leaves the newer half of the items. False: there are none left.
    pub(super) fn halve(&mut self) -> bool {
        if self.items.is_empty() {
            return false;
        }
        self.items.drain(..self.items.len().div_ceil(2));
        self.truncated = true;
        true
    }
}

impl PauseItem {
    fn of(pause: &Pause) -> PauseItem {
        PauseItem { at_seconds: seconds(pause.at_us), seconds: seconds(pause.length_us), by: pause.by }
    }
}

impl GapItem {
    fn of(gap: &Gap) -> GapItem {
        GapItem { at_seconds: seconds(gap.at_us), lost_seconds: seconds(gap.lost_us), cause: gap.cause }
    }
}

impl Content {
    fn of(folded: &Folded) -> Option<Content> {
        let figures = folded.figures();
        let changed = figures.frames.saturating_add(figures.dropped_frames);
        let share = |us: u64| (us as f64 / folded.recorded_us().max(1) as f64).min(1.0);
        (changed > 0).then(|| Content {
            dropped_frame_share: figures.dropped_frames as f64 / changed as f64,
            longest_freeze_seconds: seconds(figures.longest_freeze_us),
            black_share: share(figures.black_us),
            silent_share: share(figures.silent_us),
        })
    }
}

/// Microseconds as seconds, to the millisecond.
fn seconds(us: u64) -> f64 {
    (us.saturating_add(500) / 1_000) as f64 / 1_000.0
}
