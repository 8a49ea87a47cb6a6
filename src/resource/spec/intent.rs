//! What is wanted of a recording, as the resource says it.

use jiff::Timestamp;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::session::intent::{Intent, IntentState};

/// What is wanted of the recording.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = ("oldSelf.state != 'Stopped' || self.state == 'Stopped'",
        "spec.intent.state cannot leave Stopped, which is final; make a new Recording"),
)]
#[serde(rename_all = "camelCase")]
pub struct IntentSpec {
    /// The wanted state. Recording: record, or go on after a pause. Paused: leave out what follows (or
    /// what pauseMode says). Stopped: end the recording and finish its video; this is final.
    #[serde(default)]
    pub state: IntentState,

    /// How often a reload of the page was asked for in all. Raise it by one to reload the page; the
    /// recording goes on meanwhile, in the same video. It cannot be lowered.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9007199254740991i64))]
    #[x_kube(
        validation = ("self >= oldSelf", "spec.intent.refresh cannot be lowered; raise it to reload the page"),
    )]
    pub refresh: u64,

    /// Raise it to say the same state once more: Recording with a higher revision resumes what the
    /// page itself has paused. It cannot be lowered.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9007199254740991i64))]
    #[x_kube(
        validation = ("self >= oldSelf",
            "spec.intent.revision cannot be lowered; raise it to say the same state once more"),
    )]
    pub revision: u64,

    /// When it was said, in RFC 3339. Optional; with state Stopped it becomes status.cancelTime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl From<&IntentSpec> for Intent {
    fn from(said: &IntentSpec) -> Intent {
        Intent { state: said.state, refresh: said.refresh, revision: said.revision, at: said.at }
    }
}
