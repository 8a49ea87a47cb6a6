//! Where a recording stands, as the Action API and the resource name it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The phase of a recording. It never goes back by [`Phase::rank`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// No frame yet; also while a manual start is waited for.
    #[default]
    Normal,
    Recording,
    Paused,
    /// A stop was asked for, by a person, a limit or the page; not a failure.
    Canceled,
    Transcode,
    Upload,
    Callback,
    Finished,
}

impl Phase {
    /// All phases, in the order of their ranks.
    pub const ALL: [Phase; 8] = [
        Phase::Normal,
        Phase::Recording,
        Phase::Paused,
        Phase::Canceled,
        Phase::Transcode,
        Phase::Upload,
        Phase::Callback,
        Phase::Finished,
    ];

    /// The order of phases; recording and paused have the same rank.
    pub fn rank(self) -> u8 {
        match self {
            Phase::Normal => 0,
            Phase::Recording | Phase::Paused => 1,
            Phase::Canceled => 2,
            Phase::Transcode => 3,
            Phase::Upload => 4,
            Phase::Callback => 5,
            Phase::Finished => 6,
        }
    }

    /// The phase after `next` was said: `next`, unless that would go back.
    pub fn advanced_to(self, next: Phase) -> Phase {
        if next.rank() >= self.rank() { next } else { self }
    }

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Normal => "normal",
            Phase::Recording => "recording",
            Phase::Paused => "paused",
            Phase::Canceled => "canceled",
            Phase::Transcode => "transcode",
            Phase::Upload => "upload",
            Phase::Callback => "callback",
            Phase::Finished => "finished",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
