//! The names of a session's objects in a bucket.

use std::fmt;
use std::str::FromStr;

use crate::session::name::RunNumber;

/// What an object is, by its name beneath the session's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    /// A piece of media of the run that began then.
    Media {
        run_ms: i64,
        piece_ms: i64,
    },
    /// A piece of that run's journal.
    Recorder {
        run_ms: i64,
        offset: u64,
    },
    /// A piece of the journal of a run of the publisher.
    Publisher {
        run: RunNumber,
        offset: u64,
    },
    Intent,
    Result,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Media { run_ms, piece_ms } => write!(f, "{run_ms}/{piece_ms}.webm"),
            // Their order by name is that of their offsets.
            Name::Recorder { run_ms, offset } => write!(f, "{run_ms}/journal-{offset:012}.jsonl"),
            Name::Publisher { run, offset } => write!(f, "publisher/{run}/journal-{offset:012}.jsonl"),
            Name::Intent => f.write_str("publisher/intent.json"),
            Name::Result => f.write_str("publisher/result.json"),
        }
    }
}

/// The object is none of ours.
#[derive(Debug)]
pub(super) struct Foreign;

impl FromStr for Name {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Name, Foreign> {
        let journal = |name: &str| name.strip_prefix("journal-")?.strip_suffix(".jsonl")?.parse().ok();
        let parse = || match text {
            "publisher/intent.json" => Some(Name::Intent),
            "publisher/result.json" => Some(Name::Result),
            _ => {
                let (folder, name) = text.rsplit_once('/')?;
                if let Some(run) = folder.strip_prefix("publisher/") {
                    return Some(Name::Publisher { run: RunNumber(run.parse().ok()?), offset: journal(name)? });
                }
                let run_ms = folder.parse().ok()?;
                match name.strip_suffix(".webm") {
                    Some(piece) => Some(Name::Media { run_ms, piece_ms: piece.parse().ok()? }),
                    None => Some(Name::Recorder { run_ms, offset: journal(name)? }),
                }
            }
        };
        // The round trip refuses other spellings.
        parse().filter(|name| name.to_string() == text).ok_or(Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_is() {
        let all = [
            Name::Media { run_ms: 1_795_791_854_000, piece_ms: 1_795_791_859_001 },
            Name::Recorder { run_ms: 1_795_791_854_000, offset: 262_144 },
            Name::Publisher { run: RunNumber(2), offset: 0 },
            Name::Intent,
            Name::Result,
        ];
        for name in all {
            assert_eq!(name.to_string().parse::<Name>().ok(), Some(name));
        }
        for text in ["", "5/6.mp4", "5/06.webm", "publisher/1/journal-5.jsonl", "publisher/x.json", "a/b/5.webm"] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }
}
