//! What is wanted of a recording, and which saying of it is news.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The state a recording is wanted in. `Stopped` is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum IntentState {
    #[default]
    Recording,
    Paused,
    Stopped,
}

/// A told intent (kubectl, gateway, ctl): level-triggered, each change of it is an edge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Intent {
    pub state: IntentState,
    /// How often a reload was asked for in all; raising it reloads once.
    pub refresh: u64,
    /// Raised to say the same state again.
    pub revision: u64,
    /// When it was said.
    pub at: Option<Timestamp>,
}

impl Intent {
    /// Whether this saying is news after `last`: a higher revision is, an equal one with another
    /// state or refresh is, a lower one never is.
    pub fn is_edge_after(&self, last: &Intent) -> bool {
        match self.revision.cmp(&last.revision) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => self.state != last.state || self.refresh != last.refresh,
            std::cmp::Ordering::Less => false,
        }
    }
}

/// Who wanted an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// A told intent: kubectl, the gateway, `panorec ctl`.
    Intent,
    /// The page's own pauseRecord() and so on.
    Page,
    /// A key on the terminal.
    Keyboard,
    /// The time limit (maxDuration), or `--duration`.
    Limit,
    /// Nobody: the disk is full, the page could not be loaded.
    Recorder,
}
