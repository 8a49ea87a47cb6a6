//! What is asked for: `spec` of a Recording. The comments on the fields are what `kubectl explain`
//! shows; defaults, bounds and rules are in the schema, so the API server applies them.

mod destination;
mod intent;
mod output;
mod page;

pub use destination::{AddressingSpec, DestinationSpec, S3Spec, SignatureSpec, VodSpec, VolumeSpec};
pub use intent::IntentSpec;
pub use output::{AudioCodec, AudioSpec, EncryptionSpec, OutputSpec, VideoSpec};
pub use page::{Callback, Intermediate, IntermediateType, PageSpec, SecretRef};

use kube::core::{Message, Rule};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::status::RecordingStatus;
use crate::session::request::{FrameRate, MaxDuration, PauseMode, Start, StartTimeout};

/// What to record, how, and where the video goes. Only intent and ttlSecondsAfterFinished can be
/// changed once the Recording exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "panorec.dev",
    version = "v1alpha1",
    kind = "Recording",
    plural = "recordings",
    shortname = "rec",
    category = "panorec",
    namespaced,
    status = "RecordingStatus",
    derive = "PartialEq",
    doc = "Records a web page, as a person would see and hear it, into one video.",
    printcolumn = r#"{"name": "Phase", "type": "string", "jsonPath": ".status.phase"}"#,
    printcolumn = r#"{"name": "Duration", "type": "string", "jsonPath": ".status.duration",
        "description": "Length of the video so far, as of the last change of the status"}"#,
    printcolumn = r#"{"name": "Page", "type": "string", "jsonPath": ".status.page",
        "description": "Host of the page"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Node", "type": "string", "jsonPath": ".status.recorder.nodeName", "priority": 1}"#,
    printcolumn = r#"{"name": "Gaps", "type": "integer", "jsonPath": ".status.gaps.count", "priority": 1}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.message", "priority": 1}"#
)]
#[x_kube(validation = fixed_if_given("callback"))]
#[serde(rename_all = "camelCase")]
pub struct RecordingSpec {
    /// The page to record: a full URL with http or https, at most 8192 characters. A URL of a media
    /// file is played with its sound. Cannot be changed.
    #[schemars(length(min = 1, max = 8192))]
    #[x_kube(
        validation = ("self.matches('^[hH][tT][tT][pP][sS]?://[^/?#]')",
            "spec.url must be a full URL that begins with http:// or https://, such as https://example.com/page"),
        validation = fixed("url"),
    )]
    pub url: String,

    /// Width of the picture in pixels, 16 to 2560. An odd width is recorded one pixel wider.
    /// Cannot be changed.
    #[serde(default = "width")]
    #[schemars(range(min = 16, max = 2560))]
    #[x_kube(validation = fixed("width"))]
    pub width: u32,

    /// Height of the picture in pixels, 16 to 2560. An odd height is recorded one pixel higher.
    /// Cannot be changed.
    #[serde(default = "height")]
    #[schemars(range(min = 16, max = 2560))]
    #[x_kube(validation = fixed("height"))]
    pub height: u32,

    /// Frames a second at most, 1 to 60. A page that stands still takes fewer. Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = fixed("frameRate"))]
    pub frame_rate: FrameRate,

    /// What starts the recording. Automatic: it begins when the page has loaded and painted.
    /// Manual: it begins when the page calls window.startRecord(). Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = fixed("start"))]
    pub start: Start,

    /// With start Manual: seconds to wait for the start signal, 1 to 259200; without one in that time
    /// the Recording ends as failed. Without effect with start Automatic. Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = fixed("startTimeoutSeconds"))]
    pub start_timeout_seconds: StartTimeout,

    /// Seconds of wall clock after which the recording is stopped and its video finished, 1 to 259200
    /// (three days), counted from the start of the recorder; pauses and replaced pods count.
    /// Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = fixed("maxDurationSeconds"))]
    pub max_duration_seconds: MaxDuration,

    /// What is wanted of the recording: the part to change while it runs, to pause, resume, stop or
    /// reload the page.
    #[serde(default)]
    pub intent: IntentSpec,

    /// What a pause does to the video. Cut: the paused stretch is left out. Freeze: the last picture
    /// stands, in silence. Black: a black picture, in silence. Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = fixed("pauseMode"))]
    pub pause_mode: PauseMode,

    /// How the page is opened. Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = fixed("page"))]
    pub page: PageSpec,

    /// Where the recording is kept until its video is finished. Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = fixed("intermediate"))]
    pub intermediate: Intermediate,

    /// The finished video: its kind, its name, how it is encoded and where it goes.
    /// Cannot be changed.
    #[serde(default)]
    #[x_kube(validation = fixed("output"))]
    pub output: OutputSpec,

    /// Who is told of the end. Cannot be changed, added or taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,

    /// Seconds after the end (status.finishTime) when this Recording is deleted, 0 or more. Left out:
    /// it stays until somebody deletes it. A video in an object store is not touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2147483647))]
    pub ttl_seconds_after_finished: Option<u32>,
}

fn width() -> u32 {
    1280
}

fn height() -> u32 {
    720
}

fn fixed_message(field: &str) -> Message {
    Message::Message(format!(
        "spec.{field} cannot be changed once the Recording exists; make a new Recording for another one"
    ))
}

/// A field that always is there, by its default if need be, stays as it is.
fn fixed(field: &str) -> Rule {
    Rule::new("self == oldSelf").message(fixed_message(field))
}

/// A field that may be absent stays as it is. A rule on the field itself would not see it come or go.
fn fixed_if_given(field: &str) -> Rule {
    Rule::new(format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    ))
    .message(fixed_message(field))
    .field_path(format!(".{field}"))
}
