//! One life of a half: the claim of its number, and the files that it alone writes.

use std::fs::File;
use std::io::Write;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, OFlags};
use serde::Serialize;

use super::SessionDir;
use super::beneath::Beneath;
use super::error::FolderError;
use super::limits;
use super::read::{JOURNAL, run_numbers};
use crate::session::event::{EVENT_VERSION, Entry, Moment, PublisherEvent, RecorderEvent};
use crate::session::fold::{Folded, MediaPart};
use crate::session::intent::{By, Intent};
use crate::session::name::{PartName, RunNumber};

/// The file that keeps room for a run's last events.
const RESERVE: &str = "reserve";

/// A life of the recorder.
pub type RecorderRun = Run<RecorderEvent>;
/// A life of the publisher.
pub type PublisherRun = Run<PublisherEvent>;

/// A life of the half that writes events `E`. While it is held, the half counts as alive.
#[derive(Debug)]
pub struct Run<E> {
    number: RunNumber,
    half: Beneath,
    runs: Beneath,
    journal: Mutex<Journal>,
    events: PhantomData<fn(E)>,
}

/// An event of a half, and where that half lies in the session.
pub trait HalfEvent: Serialize {
    /// The half's folder.
    const HALF: &'static str;
    /// Room on the disk that is kept for the last events of a run.
    const RESERVE_BYTES: u64;
}

impl HalfEvent for RecorderEvent {
    const HALF: &'static str = "recorder";
    /// The recorder fills disks, and has to tell that it did; then the publisher has to work.
    const RESERVE_BYTES: u64 = 1 << 20;
}

impl HalfEvent for PublisherEvent {
    const HALF: &'static str = "publisher";
    const RESERVE_BYTES: u64 = 0;
}

impl<E: HalfEvent> Run<E> {
    /// Claims the next number. Older runs that still live see it and stop.
    pub fn claim(session: &SessionDir) -> Result<Run<E>, FolderError> {
        let half = session.root().folder(E::HALF)?;
        let runs = half.folder("runs")?;
        let number = loop {
            let newest = run_numbers(&runs)?.last().copied().unwrap_or_default();
            if newest.0 as usize >= limits::RUNS {
                return Err(FolderError::TooMany { path: runs.path().to_owned(), what: "runs", limit: limits::RUNS });
            }
            let next = RunNumber(newest.0 + 1);
            // Whoever makes the folder has the number; the others try the next one.
            if runs.make_folder(next.to_string())? {
                break next;
            }
        };
        let folder = runs.folder(number.to_string())?;
        let reserve = Reserve::make(&folder, E::RESERVE_BYTES);
        let file = folder.create_new(JOURNAL, OFlags::WRONLY | OFlags::APPEND)?;
        let path = folder.path_of(JOURNAL);
        // Held until the process ends, however it ends: others can tell that the run lives.
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| FolderError::io("lock", &path, error))?;
        folder.sync()?;
        Ok(Run {
            number,
            half,
            runs,
            journal: Mutex::new(Journal { file, path, length: 0, reserve }),
            events: PhantomData,
        })
    }

    pub fn number(&self) -> RunNumber {
        self.number
    }

    /// Whether a newer run has taken over. Cheap: one look at a folder.
    pub fn is_superseded(&self) -> Result<bool, FolderError> {
        self.runs.has((self.number.0 + 1).to_string())
    }

    /// Journals an event that happens now. When this returns, the line is on disk: only then
    /// may the event take effect. Returns the line as it stands.
    pub fn append(&self, event: E) -> Result<Entry<E>, FolderError> {
        self.append_at(Moment::now(), event)
    }

    /// Journals an event that took effect at `at`, see [`Run::append`].
    pub fn append_at(&self, at: Moment, event: E) -> Result<Entry<E>, FolderError> {
        if self.is_superseded()? {
            return Err(FolderError::Superseded { run: self.number, newer: RunNumber(self.number.0 + 1) });
        }
        let entry = Entry { v: EVENT_VERSION, at, event };
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.append(&entry)?;
        Ok(entry)
    }
}

impl RecorderRun {
    /// Journals the run's first event, `RunStarted`, with what it sees of the older runs, and
    /// returns the fold up to and with it. `measure` reads a part that an older run left open and
    /// says where its usable media ends in the video, in microseconds; None: nothing usable.
    pub fn start(
        &self,
        session: &SessionDir,
        mut measure: impl FnMut(MediaPart, File) -> Option<u64>,
    ) -> Result<Folded, FolderError> {
        let mut history = session.history()?;
        history.recorder.retain(|log| log.run < self.number);
        let mut folded = Folded::of(&history);
        let mut refused = None;
        let older = folded.seen_runs(&history, |part| match session.open_part(part.name) {
            Ok(file) => measure(part, file),
            Err(error) if error.is_not_found() => None,
            Err(error) => {
                refused = Some(error);
                None
            }
        });
        if let Some(error) = refused {
            return Err(error);
        }
        let entry = self.append(RecorderEvent::RunStarted { run: self.number, older })?;
        folded.apply_recorder(self.number, &entry);
        Ok(folded)
    }

    /// Journals what was told while no run lived, if it is news.
    pub fn take_in(&self, folded: &mut Folded, told: Option<Intent>) -> Result<(), FolderError> {
        let Some(told) = told else { return Ok(()) };
        let Some(edge) = told.edge_after(&folded.told) else { return Ok(()) };
        let edge = RecorderEvent::Edge { by: By::Intent, state: edge.state, reload: edge.reload, told: Some(told) };
        let entry = self.append(edge)?;
        folded.apply_recorder(self.number, &entry);
        Ok(())
    }

    /// Creates a part of this run, for writing and reading; it must not be there yet.
    pub fn create_part(&self, part: PartName) -> Result<File, FolderError> {
        if part.run != self.number {
            return Err(FolderError::ForeignPart { part, run: self.number });
        }
        let parts = self.half.folder("parts")?;
        let file = parts.create_new(part.to_string(), OFlags::RDWR)?;
        parts.sync()?;
        Ok(file)
    }
}

#[derive(Debug)]
struct Journal {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines.
    length: u64,
    reserve: Option<Reserve>,
}

/// A file that only takes room, until the room is needed for something better.
#[derive(Debug)]
struct Reserve(PathBuf);

impl Reserve {
    fn make(folder: &Beneath, bytes: u64) -> Option<Reserve> {
        if bytes == 0 {
            return None;
        }
        let file = folder.create_new(RESERVE, OFlags::WRONLY).ok()?;
        let reserve = Reserve(folder.path_of(RESERVE));
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).ok()?;
        Some(reserve)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, "the reserve is gone already");
        }
    }
}

impl Journal {
    fn append(&mut self, entry: &impl Serialize) -> Result<(), FolderError> {
        let path = self.path.clone();
        let failed = |error: std::io::Error| FolderError::io("write", &path, error);
        let mut line = serde_json::to_vec(entry).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        if line.len() > limits::LINE_BYTES {
            return Err(FolderError::LongEvent { bytes: line.len(), limit: limits::LINE_BYTES });
        }
        let mut written = self.write(&line);
        if written.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::StorageFull)
            && self.reserve.take().is_some()
        {
            written = self.write(&line);
        }
        written.map_err(failed)?;
        self.length += line.len() as u64;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        let written = self.file.write_all(line).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // A full disk can take half a line; the next line must not run into it. Where even
            // this fails, so will the next append.
            let _ = self.file.set_len(self.length);
        }
        written
    }
}
