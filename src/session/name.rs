//! Names of a session and inside it: tasks, runs and parts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The number of one life of a half: 1, 2, 3 …; claimed by creating `runs/<n>` exclusively.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunNumber(pub u32);

impl fmt::Display for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `<run>-<part>.webm`: a piece of media, playable by itself. Written by one run only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartName {
    pub run: RunNumber,
    pub part: u32,
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.webm", self.run, self.part)
    }
}

/// The text is not `<run>-<part>.webm` in plain decimal numbers.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not the name of a part (<run>-<part>.webm)")]
pub struct BadPartName(String);

impl FromStr for PartName {
    type Err = BadPartName;

    fn from_str(text: &str) -> Result<Self, BadPartName> {
        let parse = || {
            let (run, part) = text.strip_suffix(".webm")?.split_once('-')?;
            Some(PartName { run: RunNumber(run.parse().ok()?), part: part.parse().ok()? })
        };
        // The round trip refuses `+1-01.webm` and other spellings of the same numbers.
        parse()
            .filter(|name: &PartName| name.to_string() == text)
            .ok_or_else(|| BadPartName(text.chars().take(80).collect()))
    }
}

impl Serialize for PartName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PartName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The name of a recording: a UUID, or a name as Kubernetes allows it (DNS-1123 subdomain).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TaskId(String);

/// The text cannot name a recording.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a task id: up to 253 of a-z, 0-9, '-' and '.', a letter or digit at the ends")]
pub struct BadTaskId(String);

impl TaskId {
    /// A new UUID, version 4.
    pub fn random() -> TaskId {
        TaskId(uuid::Uuid::new_v4().to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TaskId {
    type Err = BadTaskId;

    fn from_str(text: &str) -> Result<Self, BadTaskId> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let fits = text.len() <= 253
            && text.starts_with(plain)
            && text.ends_with(plain)
            && text.chars().all(|c| plain(c) || c == '-' || c == '.');
        if fits { Ok(TaskId(text.to_owned())) } else { Err(BadTaskId(text.chars().take(80).collect())) }
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
