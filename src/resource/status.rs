//! What is known of a recording: `status` of a Recording. Only the operator writes it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::session::event::DisplayKind;
use crate::session::fold::{Phase, Warnings};
use crate::session::status::{Content, GapItem, Listing, PauseItem, Status, StatusResult};

/// What is known of the recording.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordingStatus {
    /// Where the recording stands. normal: no frame yet; recording; paused; canceled: stopped, its video
    /// is not begun; transcode: the video is made; upload: it is delivered; callback: the result is
    /// posted; finished: it is over, well or not (see result and the condition Succeeded).
    #[serde(default)]
    pub phase: Phase,

    /// Ready, Reconciling and Stalled sum up (kstatus): Reconciling while it runs, Ready when it ended
    /// well, Stalled when it failed. Succeeded is Unknown until the end, then True or False. Accepted,
    /// Scheduled, Recording and Published tell the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,

    /// The metadata.generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// When the recording was created, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Timestamp>,

    /// When the first frame was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,

    /// When the stop was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_time: Option<Timestamp>,

    /// When the recorder had stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_time: Option<Timestamp>,

    /// When everything was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_time: Option<Timestamp>,

    /// The place in the queue, 1 being the next; only the first 20 are told, refreshed at most every
    /// 10 s. Absent when it does not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_position: Option<u32>,

    /// The host of the page, for the column Page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,

    /// The length of the video so far, such as 1h02m03s, as of the last change of this status; for the
    /// column Duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,

    /// One sentence on how it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// The outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<StatusResult>,

    /// The pauses: all are counted, the newest 64 listed; result.json in the recording's folder lists
    /// all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pauses: Option<Listing<PauseItem>>,

    /// What is missing from the video: all gaps are counted, the newest 64 listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaps: Option<Listing<GapItem>>,

    /// What the content was like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,

    /// Who records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorder: Option<RecorderStatus>,

    /// What a person should know, at most 32 sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,

    /// The last value of the annotation panorec.dev/republish for which the video was made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub republished: Option<String>,
}

/// Who records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecorderStatus {
    /// The pod that records, or did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,

    /// The node of that pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,

    /// How often a recorder was started; more than 1: it was replaced.
    #[serde(default)]
    pub runs: u32,

    /// Chrome's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser_version: Option<String>,

    /// Whether Chrome runs in its sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandboxed: Option<bool>,

    /// The X server that shows the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<DisplayKind>,
}

impl RecordingStatus {
    /// Takes over what the session tells. A phase never goes back, and what only Kubernetes knows
    /// (conditions, pod, queue) stays.
    pub fn set_session(&mut self, session: &Status, warnings: &Warnings) {
        let Status {
            phase,
            create_time,
            start_time,
            cancel_time,
            stop_time,
            finish_time,
            result,
            pauses,
            gaps,
            content,
            recorder,
        } = session.clone();
        self.phase = self.phase.advanced_to(phase);
        self.create_time = create_time.or(self.create_time);
        self.start_time = start_time;
        self.cancel_time = cancel_time.or(self.cancel_time);
        self.stop_time = stop_time;
        self.finish_time = finish_time;
        self.result = result;
        self.pauses = Some(pauses);
        self.gaps = Some(gaps);
        self.content = content;
        let known = self.recorder.get_or_insert_default();
        known.runs = recorder.runs;
        known.browser_version = recorder.browser_version;
        known.sandboxed = recorder.sandboxed;
        known.display = recorder.display;
        self.warnings = warnings.iter().map(str::to_owned).collect();
    }
}

/// A length of video for the column: whole seconds, as `1h02m03s`, `2m03s` or `3s`.
pub fn duration_text(seconds: f64) -> String {
    // A cast takes what is no number or below 0 as 0.
    let seconds = seconds as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds:02}s"),
        _ => format!("{hours}h{minutes:02}m{seconds:02}s"),
    }
}

/// The host of a page for the column; None: the text is no URL with a host.
pub fn page_host(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}
