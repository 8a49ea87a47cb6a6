//! Following the journals as they grow: only what is new is read, and it is checked like all else.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;

use serde::de::DeserializeOwned;

use super::SessionDir;
use super::beneath::Beneath;
use super::check::Check;
use super::error::FolderError;
use super::limits;
use super::read::{JOURNAL, Reader, if_there, run_numbers};
use super::run::HalfEvent;
use crate::session::event::{Entry, PublisherEvent, RecorderEvent};
use crate::session::history::Line;
use crate::session::name::RunNumber;
use crate::session::stream::{Cursor, StreamLine};

/// What is read of a journal at once; any line fits.
const CHUNK: u64 = limits::LINE_BYTES as u64 * 2;

/// A reader of both halves' journals that keeps its place in each.
#[derive(Default)]
pub struct JournalTail {
    recorder: HalfTail,
    publisher: HalfTail,
}

#[derive(Default)]
struct HalfTail {
    places: BTreeMap<RunNumber, Place>,
    reader: Reader,
}

#[derive(Default)]
struct Place {
    offset: u64,
    /// What follows was not written by a recorder of ours, and a newer run has gone on without it.
    spoilt: bool,
}

impl JournalTail {
    /// A tail that begins after what `cursor` says was read. None: there are no such places.
    pub fn new(session: &SessionDir, cursor: &Cursor) -> Result<Option<JournalTail>, FolderError> {
        let recorder = HalfTail::new(session, RecorderEvent::HALF, &cursor.recorder)?;
        let publisher = HalfTail::new(session, PublisherEvent::HALF, &cursor.publisher)?;
        Ok(recorder.zip(publisher).map(|(recorder, publisher)| JournalTail { recorder, publisher }))
    }

    /// The next lines, recorder's first, each run's in order; a bounded number of them. None when
    /// there is nothing new now.
    ///
    /// # Errors
    /// When the newest run's journal is not what panorec writes, or larger than what is read.
    pub fn read(&mut self, session: &SessionDir) -> Result<Vec<StreamLine>, FolderError> {
        let lines = self.recorder.read(session, StreamLine::recorder)?;
        if !lines.is_empty() {
            return Ok(lines);
        }
        self.publisher.read(session, StreamLine::publisher)
    }
}

impl HalfTail {
    fn new(
        session: &SessionDir,
        half: &str,
        places: &BTreeMap<RunNumber, u64>,
    ) -> Result<Option<HalfTail>, FolderError> {
        let mut tail = HalfTail::default();
        for (run, offset) in places.iter().filter(|(_, offset)| **offset > 0) {
            let journal = format!("{half}/runs/{run}/{JOURNAL}");
            let Some(file) = if_there(session.root().file(&journal))? else { return Ok(None) };
            // A place is behind a whole line.
            let mut before = [0];
            let read = file.read_at(&mut before, offset - 1);
            if read.map_err(|error| FolderError::io("read", session.root().path_of(&journal), error))? == 0
                || before != *b"\n"
            {
                return Ok(None);
            }
            tail.reader.bytes = tail.reader.bytes.saturating_add(*offset);
            tail.places.insert(*run, Place { offset: *offset, spoilt: false });
        }
        Ok(Some(tail))
    }

    fn read<E: DeserializeOwned + Check + HalfEvent>(
        &mut self,
        session: &SessionDir,
        line: fn(RunNumber, u64, Entry<E>) -> StreamLine,
    ) -> Result<Vec<StreamLine>, FolderError> {
        let Some(runs) = if_there(session.root().folder(format!("{}/runs", E::HALF)))? else {
            return Ok(Vec::new());
        };
        let numbers = run_numbers(&runs)?;
        for run in &numbers {
            let lines = match self.read_run::<E>(&runs, *run) {
                Ok(lines) => lines,
                Err(error) if numbers.last() != Some(run) => {
                    tracing::warn!(%error, %run, "an older run's journal is followed no further");
                    self.places.entry(*run).or_default().spoilt = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !lines.is_empty() {
                return Ok(lines.into_iter().map(|one| line(*run, one.end_offset, one.entry)).collect());
            }
        }
        Ok(Vec::new())
    }

    fn read_run<E: DeserializeOwned + Check>(
        &mut self,
        runs: &Beneath,
        run: RunNumber,
    ) -> Result<Vec<Line<E>>, FolderError> {
        let place = self.places.entry(run).or_default();
        if place.spoilt {
            return Ok(Vec::new());
        }
        let relative = format!("{run}/{JOURNAL}");
        let path = runs.path_of(&relative);
        let Some(file) = if_there(runs.file(&relative))? else {
            return Ok(Vec::new());
        };
        let failed = |error: std::io::Error| FolderError::io("read", &path, error);
        let length = file.metadata().map_err(failed)?.len();
        let wanted = length.saturating_sub(place.offset).min(CHUNK);
        let mut bytes = vec![0; wanted as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], place.offset + filled as u64).map_err(failed)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        if whole == 0 {
            let too_long = filled > limits::LINE_BYTES;
            return if too_long {
                Err(FolderError::TooBig { path, limit: limits::LINE_BYTES as u64 })
            } else {
                Ok(Vec::new())
            };
        }
        bytes.truncate(whole);
        let lines = self.reader.lines(&bytes, &path, run, place.offset)?;
        let end = lines.last().map_or(place.offset, |line: &Line<E>| line.end_offset);
        self.reader.bytes += end - place.offset;
        if self.reader.bytes > limits::JOURNAL_BYTES {
            return Err(FolderError::TooBig { path, limit: limits::JOURNAL_BYTES });
        }
        place.offset = end;
        Ok(lines)
    }
}
