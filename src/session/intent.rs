//! What is wanted of a recording, and which saying of it is news.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state a recording is wanted in. `Stopped` is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
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

/// What a told intent changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldEdge {
    /// The state it says; None: it says nothing of the state, and what the page or a key did
    /// since stays.
    pub state: Option<IntentState>,
    pub reload: bool,
}

impl Intent {
    /// What this saying changes after `last` was told before; None: it is no news.
    pub fn edge_after(&self, last: &Intent) -> Option<ToldEdge> {
        if !self.is_edge_after(last) {
            return None;
        }
        let said_again = self.revision > last.revision;
        Some(ToldEdge {
            state: (said_again || self.state != last.state).then_some(self.state),
            reload: self.refresh > last.refresh,
        })
    }
}

/// Who wanted an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(state: IntentState, refresh: u64, revision: u64) -> Intent {
        Intent { state, refresh, revision, at: None }
    }

    #[test]
    fn only_news_is_an_edge() {
        use IntentState::{Paused, Recording, Stopped};
        let state = |state| Some(ToldEdge { state: Some(state), reload: false });
        let reload = Some(ToldEdge { state: None, reload: true });
        let both = Some(ToldEdge { state: Some(Paused), reload: true });
        let last = intent(Recording, 1, 4);
        for (said, edge) in [
            (intent(Recording, 1, 4), None),
            (intent(Paused, 9, 3), None),
            (intent(Stopped, 1, 3), None),
            (intent(Recording, 1, 5), state(Recording)),
            (intent(Paused, 1, 4), state(Paused)),
            (intent(Recording, 2, 4), reload),
            (intent(Paused, 2, 4), both),
        ] {
            assert_eq!(said.edge_after(&last), edge, "{said:?}");
        }
    }
}
