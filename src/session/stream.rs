//! What the publisher's control endpoint says and is told: journal lines with their places, and
//! the intent with the generation that it was read from.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::event::{Entry, PublisherEvent, RecorderEvent};
use super::intent::Intent;
use super::name::RunNumber;

/// More runs than this are in no cursor; each half has at most 4096.
const MAX_PLACES: usize = 8192;

/// How far the journals of a session have been read: `r1:1234,r2:80,p1:0`, the recorder's runs
/// and then the publisher's, each with a byte offset into its journal. A run that is not named
/// has not been read at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    pub recorder: BTreeMap<RunNumber, u64>,
    pub publisher: BTreeMap<RunNumber, u64>,
}

impl Cursor {
    /// Takes a line as read; a place never goes back.
    pub fn advance(&mut self, line: &StreamLine) {
        let (places, run, offset) = match line {
            StreamLine::Recorder(line) => (&mut self.recorder, line.run, line.offset),
            StreamLine::Publisher(line) => (&mut self.publisher, line.run, line.offset),
            StreamLine::Mark { .. } => return,
        };
        let place = places.entry(run).or_default();
        *place = offset.max(*place);
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recorder = self.recorder.iter().map(|place| ('r', place));
        let publisher = self.publisher.iter().map(|place| ('p', place));
        for (index, (half, (run, offset))) in recorder.chain(publisher).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{half}{run}:{offset}")?;
        }
        Ok(())
    }
}

/// The text is no cursor.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no cursor; write it as r<run>:<offset> and p<run>:<offset> with commas between them")]
pub struct BadCursor(String);

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Cursor, BadCursor> {
        let bad = || BadCursor(text.chars().take(80).collect());
        let mut cursor = Cursor::default();
        if text.is_empty() {
            return Ok(cursor);
        }
        for (index, place) in text.split(',').enumerate() {
            let half = place.get(..1).ok_or_else(bad)?;
            let (run, offset) = place.get(1..).and_then(|rest| rest.split_once(':')).ok_or_else(bad)?;
            let places = match half {
                "r" => &mut cursor.recorder,
                "p" => &mut cursor.publisher,
                _ => return Err(bad()),
            };
            let run = RunNumber(number(run).and_then(|run| u32::try_from(run).ok()).ok_or_else(bad)?);
            let offset = number(offset).ok_or_else(bad)?;
            if index >= MAX_PLACES || places.insert(run, offset).is_some() {
                return Err(bad());
            }
        }
        Ok(cursor)
    }
}

/// A plain decimal number: no sign, no spaces.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// One line of `GET /v1/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StreamLine {
    Mark { mark: Mark },
    Recorder(RunLine<RecorderHalf, RecorderEvent>),
    Publisher(RunLine<PublisherHalf, PublisherEvent>),
}

impl StreamLine {
    pub fn recorder(run: RunNumber, offset: u64, entry: Entry<RecorderEvent>) -> StreamLine {
        StreamLine::Recorder(RunLine { half: RecorderHalf::Recorder, run, offset, entry })
    }

    pub fn publisher(run: RunNumber, offset: u64, entry: Entry<PublisherEvent>) -> StreamLine {
        StreamLine::Publisher(RunLine { half: PublisherHalf::Publisher, run, offset, entry })
    }
}

/// A line of a run's journal and its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunLine<H, E> {
    /// The word that tells the halves apart.
    pub half: H,
    pub run: RunNumber,
    /// Where the line ends in its journal, in bytes, its newline included.
    pub offset: u64,
    pub entry: Entry<E>,
}

/// The word of a recorder's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecorderHalf {
    Recorder,
}

/// The word of a publisher's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PublisherHalf {
    Publisher,
}

/// What stands between the lines of journals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    /// Everything that was there when the stream began has been sent.
    CaughtUp,
    /// Nothing has happened for a while, and the connection is good.
    Alive,
}

/// The body of `PUT /v1/intent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToldIntent {
    /// `metadata.generation` of the resource that the intent was read from; an older one than
    /// was told before is refused.
    pub generation: u64,
    pub intent: Intent,
}

/// The answer to `PUT /v1/intent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// The recorder has journaled the intent, or it is no news. False: it is kept and told to
    /// the recorder as soon as there is one.
    pub taken: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::{EVENT_VERSION, Moment};
    use crate::session::intent::IntentState;

    #[test]
    fn a_cursor_is_read_back_as_it_was_written() {
        for text in ["", "r1:0", "r1:1234,r2:80,p1:0", "p3:18446744073709551615"] {
            assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        }
        assert_eq!("p1:2,r3:4".parse::<Cursor>().unwrap().to_string(), "r3:4,p1:2");
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in [
            "r",
            "r1",
            "r1:",
            "x1:2",
            "r1:2,",
            ",",
            "r1:+2",
            "r-1:2",
            "r1:2,r1:3",
            "r4294967296:1",
            "é1:2",
            "r1:99999999999999999999",
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn lines_speak_the_contract_and_are_read_back() {
        let at = Moment { wall: "2026-11-22T10:00:00Z".parse().unwrap(), mono_us: 5 };
        let entry = Entry { v: EVENT_VERSION, at, event: RecorderEvent::PageLoaded };
        let finished = Entry { v: EVENT_VERSION, at, event: PublisherEvent::Finished };
        for (line, json) in [
            (
                StreamLine::recorder(RunNumber(1), 1234, entry),
                r#"{"half":"recorder","run":1,"offset":1234,"entry":{"v":1,"at":{"wall":"2026-11-22T10:00:00Z","monoUs":5},"event":"pageLoaded"}}"#,
            ),
            (
                StreamLine::publisher(RunNumber(2), 7, finished),
                r#"{"half":"publisher","run":2,"offset":7,"entry":{"v":1,"at":{"wall":"2026-11-22T10:00:00Z","monoUs":5},"event":"finished"}}"#,
            ),
            (StreamLine::Mark { mark: Mark::CaughtUp }, r#"{"mark":"caughtUp"}"#),
            (StreamLine::Mark { mark: Mark::Alive }, r#"{"mark":"alive"}"#),
        ] {
            assert_eq!(serde_json::to_string(&line).unwrap(), json);
            assert_eq!(serde_json::from_str::<StreamLine>(json).unwrap(), line);
        }
    }

    #[test]
    fn a_told_intent_is_read_back() {
        let json = r#"{"generation":5,"intent":{"state":"Paused","refresh":1,"revision":2,"at":null}}"#;
        let told: ToldIntent = serde_json::from_str(json).unwrap();
        assert_eq!((told.generation, told.intent.state), (5, IntentState::Paused));
        assert_eq!(serde_json::to_string(&told).unwrap(), json);
        assert!(serde_json::from_str::<ToldIntent>(r#"{"intent":{}}"#).is_err());
    }
}
