//! Reading journals that may have been torn by a crash or forged by a page.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::beneath::{Beneath, read_at_most};
use super::check::Check;
use super::error::FolderError;
use super::limits;
use crate::session::event::{EVENT_VERSION, Entry, PublisherEvent, RecorderEvent};
use crate::session::history::{History, Line, RunLog, SeenLimits};
use crate::session::name::RunNumber;

/// Reads the journals of both halves. A half that is not there has no runs.
pub(super) fn history(root: &Beneath) -> Result<History, FolderError> {
    Ok(History::new(recorder_runs(root)?, publisher_runs(root)?))
}

/// The runs of a half, in ascending order, as their folders' names say.
pub(super) fn run_numbers(runs: &Beneath) -> Result<Vec<RunNumber>, FolderError> {
    let mut numbers: Vec<RunNumber> = runs
        .names(2 * limits::RUNS)?
        .iter()
        .filter_map(|name| {
            let number: u32 = name.parse().ok()?;
            (number > 0 && number.to_string() == *name).then_some(RunNumber(number))
        })
        .collect();
    if numbers.len() > limits::RUNS {
        return Err(FolderError::TooMany { path: runs.path().to_owned(), what: "runs", limit: limits::RUNS });
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn recorder_runs(root: &Beneath) -> Result<Vec<RunLog<RecorderEvent>>, FolderError> {
    let mut limits = SeenLimits::default();
    let mut reader = Reader::default();
    let mut logs = Vec::new();
    let Some(runs) = if_there(root.folder("recorder/runs"))? else {
        return Ok(logs);
    };
    // From the newest down: what a run saw of an older one says how far that one is read.
    for run in run_numbers(&runs)?.into_iter().rev() {
        let log = reader.run(&runs, run, limits.bytes_of(run))?;
        if let Some(first) = log.lines.first() {
            limits.heed(run, first);
        }
        logs.push(log);
    }
    Ok(logs)
}

pub(super) fn publisher_runs(root: &Beneath) -> Result<Vec<RunLog<PublisherEvent>>, FolderError> {
    let mut reader = Reader::default();
    let Some(runs) = if_there(root.folder("publisher/runs"))? else {
        return Ok(Vec::new());
    };
    run_numbers(&runs)?.into_iter().map(|run| reader.run(&runs, run, None)).collect()
}

pub(super) fn if_there<T>(result: Result<T, FolderError>) -> Result<Option<T>, FolderError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What has been read of a half so far, against its bounds.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) bytes: u64,
    events: usize,
    parts: usize,
}

impl Reader {
    /// Reads the whole lines of a run's journal, of its first `seen` bytes where a successor saw
    /// only so many.
    fn run<E: DeserializeOwned + Check>(
        &mut self,
        runs: &Beneath,
        run: RunNumber,
        seen: Option<u64>,
    ) -> Result<RunLog<E>, FolderError> {
        let relative = format!("{run}/{JOURNAL}");
        let path = runs.path_of(&relative);
        let Some(file) = if_there(runs.file(&relative))? else {
            return Ok(RunLog { run, lines: Vec::new() });
        };
        let left = limits::JOURNAL_BYTES.saturating_sub(self.bytes);
        let bytes = match seen {
            Some(seen) if seen <= left => {
                use std::io::Read;
                let mut bytes = Vec::new();
                file.take(seen).read_to_end(&mut bytes).map_err(|error| FolderError::io("read", &path, error))?;
                bytes
            }
            _ => read_at_most(file, &path, left)?,
        };
        self.bytes += bytes.len() as u64;
        let lines = self.lines(&bytes, &path, run, 0)?;
        Ok(RunLog { run, lines })
    }

    /// Reads the whole lines of a stretch of a journal that begins at `start`.
    pub(super) fn lines<E: DeserializeOwned + Check>(
        &mut self,
        bytes: &[u8],
        path: &Path,
        run: RunNumber,
        start: u64,
    ) -> Result<Vec<Line<E>>, FolderError> {
        let mut lines = Vec::new();
        let mut offset = 0;
        for (index, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            offset += text.len() as u64;
            if text.len() > limits::LINE_BYTES {
                return Err(FolderError::TooBig { path: path.to_owned(), limit: limits::LINE_BYTES as u64 });
            }
            let is_last = offset == bytes.len() as u64;
            let is_first = start == 0 && index == 0;
            let Some(text) = text.strip_suffix(b"\n") else {
                break;
            };
            let entry: Entry<E> = match parse(text) {
                Ok(entry) => entry,
                // A crash of the machine can leave a last line whose blocks came half to disk.
                Err(Unreadable::Torn(_)) if is_last => break,
                Err(why) => return Err(why.in_line(path, number)),
            };
            self.events += 1;
            self.parts += entry.event.parts();
            self.within_bounds(path)?;
            entry.event.check(run, is_first, entry.at).map_err(|why| FolderError::BadEvent {
                path: path.to_owned(),
                line: number,
                why,
            })?;
            lines.push(Line { entry, end_offset: start + offset });
        }
        Ok(lines)
    }

    fn within_bounds(&self, path: &Path) -> Result<(), FolderError> {
        let (what, limit) = if self.events > limits::EVENTS {
            ("events", limits::EVENTS)
        } else if self.parts > limits::PARTS {
            ("parts", limits::PARTS)
        } else {
            return Ok(());
        };
        Err(FolderError::TooMany { path: path.to_owned(), what, limit })
    }
}

/// The name of a run's journal in the run's folder.
pub(super) const JOURNAL: &str = "journal.jsonl";

enum Unreadable {
    /// Not JSON: torn, or not written by panorec.
    Torn(serde_json::Error),
    Newer(u64),
    Unknown(serde_json::Error),
}

impl Unreadable {
    fn in_line(self, path: &Path, line: usize) -> FolderError {
        let path = path.to_owned();
        match self {
            Unreadable::Newer(version) => FolderError::NewerEvent { path, line, version },
            Unreadable::Torn(why) | Unreadable::Unknown(why) => {
                FolderError::BadEvent { path, line, why: why.to_string().chars().take(200).collect() }
            }
        }
    }
}

#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

fn parse<E: DeserializeOwned>(line: &[u8]) -> Result<Entry<E>, Unreadable> {
    let versioned: Versioned = serde_json::from_slice(line)
        .map_err(|error| if error.is_data() { Unreadable::Unknown(error) } else { Unreadable::Torn(error) })?;
    if versioned.v > u64::from(EVENT_VERSION) {
        return Err(Unreadable::Newer(versioned.v));
    }
    serde_json::from_slice(line).map_err(Unreadable::Unknown)
}
