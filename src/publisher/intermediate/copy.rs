//! What of a session is in the bucket, and bringing there what is not.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::names::Name;
use super::{PLACE, TRY, open};
use crate::egress::Resolver;
use crate::session::event::{PublisherEvent, RecorderEvent};
use crate::session::folder::{FolderError, GrowingFile, SessionDir};
use crate::session::name::{PartName, RunNumber};
use crate::session::request::Intermediate;
use crate::store::{Listed, Notes, S3Store, StoreError};

/// A piece of media is no longer, in time and in bytes.
const PIECE: Duration = Duration::from_secs(5);
const PIECE_BYTES: u64 = 5 << 20;
/// A piece that still grows is put anew this often, so that less than it is lost.
const RENEWED: Duration = Duration::from_millis(2_500);
/// A piece of a journal is no longer, in bytes.
const JOURNAL_PIECE: u64 = 256 << 10;
/// Whether another publisher has the session is looked for this often.
const LOOK_AROUND: Duration = Duration::from_secs(5);

/// Why the bucket has less than the session.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    #[error(transparent)]
    Session(#[from] FolderError),
    #[error("cannot read {0:?}: {1}")]
    Read(GrowingFile, std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("another publisher has the session")]
    Superseded,
}

/// A session and what of it is in the bucket.
pub(super) struct Copy {
    session: Arc<SessionDir>,
    run: RunNumber,
    store: S3Store<'static>,
    /// The last piece of each file.
    pieces: BTreeMap<GrowingFile, Piece>,
    /// When the runs of the recorder that are known began.
    began: BTreeMap<RunNumber, i64>,
    /// The name of the newest piece of media of each run.
    newest: BTreeMap<i64, i64>,
    documents: BTreeMap<Name, Vec<u8>>,
    looked_around: Option<Instant>,
    /// Runs that the bucket has and this folder has not, by when they began.
    unknown: Vec<i64>,
}

/// Bytes `from..to` of a file, in one object that may still grow.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Part of the object's name: Unix milliseconds of media, the offset in a journal.
    name: i64,
    from: u64,
    to: u64,
    begun: Instant,
    put: Instant,
}

impl Copy {
    /// Sees what is there already: an earlier publisher may have put it.
    pub(super) fn open(
        session: &Arc<SessionDir>,
        run: RunNumber,
        intermediate: &Intermediate,
        resolver: &Resolver,
    ) -> Result<Copy, CopyError> {
        let mut copy = Copy {
            session: Arc::clone(session),
            run,
            store: open(intermediate, resolver)?,
            pieces: BTreeMap::new(),
            began: BTreeMap::new(),
            newest: BTreeMap::new(),
            documents: BTreeMap::new(),
            looked_around: None,
            unknown: Vec::new(),
        };
        copy.take_in(&copy.store.list(TRY)?)?;
        Ok(copy)
    }

    /// A sentence about runs that are in the bucket, but were not when this pod began.
    pub(super) fn unknown(&self) -> Option<String> {
        let runs = self.unknown.len();
        (runs > 0).then(|| {
            format!(
                "the bucket keeps {runs} earlier run(s) of this recording that could not be read when its pod began: \
                 they are not in the video, and stay in the bucket"
            )
        })
    }

    fn take_in(&mut self, listed: &[Listed]) -> Result<(), CopyError> {
        for run in self.session.runs_of::<RecorderEvent>()? {
            self.began_at(run)?;
        }
        let of_run = |copy: &Copy, run_ms| copy.began.iter().find(|(_, began)| **began == run_ms).map(|(run, _)| *run);
        let mut newest: BTreeMap<i64, &Listed> = BTreeMap::new();
        for object in listed {
            let Ok(name) = object.name.parse::<Name>() else { continue };
            match name {
                Name::Media { run_ms, .. } => {
                    newest.insert(run_ms, object);
                }
                Name::Recorder { run_ms, offset } => match of_run(self, run_ms) {
                    Some(run) => self.known(GrowingFile::Recorder(run), offset as i64, offset, object.size_bytes),
                    None => self.unknown.push(run_ms),
                },
                Name::Publisher { run, offset } => {
                    self.known(GrowingFile::Publisher(run), offset as i64, offset, object.size_bytes);
                }
                Name::Intent | Name::Result => {}
            }
        }
        self.unknown.dedup();
        for (run_ms, object) in newest {
            let Ok(Name::Media { piece_ms, .. }) = object.name.parse() else { continue };
            self.newest.insert(run_ms, piece_ms);
            let Some(run) = of_run(self, run_ms) else { continue };
            let Some((part, offset)) = self.store.note(&object.name, PLACE, TRY)?.as_deref().and_then(place) else {
                continue;
            };
            // They were put in order: what is before the newest piece is there.
            self.known(GrowingFile::Part(part), piece_ms, offset, object.size_bytes);
            for whole in self.session.parts_on_disk()?.into_iter().filter(|one| one.run == run && *one < part) {
                let length = self.length(GrowingFile::Part(whole))?;
                self.known(GrowingFile::Part(whole), piece_ms, length, 0);
            }
        }
        Ok(())
    }

    fn known(&mut self, file: GrowingFile, name: i64, from: u64, bytes: u64) {
        let now = Instant::now();
        self.pieces.insert(file, Piece { name, from, to: from + bytes, begun: now, put: now });
    }

    /// Brings to the bucket what is new; `all`: to the last byte.
    pub(super) fn turn(&mut self, all: bool) -> Result<(), CopyError> {
        self.look_around(all)?;
        // In this order: what these journals tell of is on the disk by now, and goes up before them.
        let mut journals = Vec::new();
        for run in self.session.runs_of::<RecorderEvent>()? {
            let file = GrowingFile::Recorder(run);
            journals.push((file, self.length(file)?));
        }
        let news = journals.iter().any(|(file, length)| self.copied(*file) < *length);
        self.media(all || news)?;
        for run in self.session.runs_of::<PublisherEvent>()? {
            let file = GrowingFile::Publisher(run);
            journals.push((file, self.length(file)?));
        }
        for (file, length) in journals {
            self.journal(file, length)?;
        }
        self.documents()
    }

    /// Removes the media from the bucket, unless there is some that this session does not know.
    pub(super) fn remove_media(&mut self) -> Result<(), CopyError> {
        if !self.unknown.is_empty() {
            return Ok(());
        }
        let is_media = |name: &str| matches!(name.parse(), Ok(Name::Media { .. }));
        let names: Vec<String> =
            self.store.list(TRY)?.into_iter().map(|object| object.name).filter(|name| is_media(name)).collect();
        Ok(self.store.remove(&names, TRY)?)
    }

    /// A pod that has lost sight of the cluster learns here that another one has its place.
    fn look_around(&mut self, now: bool) -> Result<(), CopyError> {
        if !now && self.looked_around.is_some_and(|looked| looked.elapsed() < LOOK_AROUND) {
            return Ok(());
        }
        let next = RunNumber(self.run.0 + 1);
        if self.store.has(&Name::Publisher { run: next, offset: 0 }.to_string(), TRY)? {
            self.session.leave_to(next)?;
            return Err(CopyError::Superseded);
        }
        self.looked_around = Some(Instant::now());
        Ok(())
    }

    fn media(&mut self, all: bool) -> Result<(), CopyError> {
        let parts = self.session.parts_on_disk()?;
        for (i, part) in parts.iter().enumerate() {
            // The next one of its run is there, or its run is over.
            let closed = i + 1 < parts.len();
            if let Some(run_ms) = self.began_at(part.run)? {
                self.part(*part, run_ms, closed, all)?;
            }
        }
        Ok(())
    }

    fn part(&mut self, part: PartName, run_ms: i64, closed: bool, all: bool) -> Result<(), CopyError> {
        let file = GrowingFile::Part(part);
        let length = self.length(file)?;
        while self.copied(file) < length {
            let piece = match self.pieces.get(&file) {
                Some(piece) => *piece,
                None => self.next_media(run_ms, 0),
            };
            let end = length.min(piece.from + PIECE_BYTES);
            let full = closed || end - piece.from == PIECE_BYTES || piece.begun.elapsed() >= PIECE;
            if !(full || all || piece.put.elapsed() >= RENEWED) {
                self.pieces.insert(file, piece);
                return Ok(());
            }
            let name = Name::Media { run_ms, piece_ms: piece.name };
            let notes = vec![(PLACE, format!("{part} {}", piece.from))];
            self.put(name, file, piece.from, end, &notes)?;
            let put = Piece { to: end, put: Instant::now(), ..piece };
            let next = if full { self.next_media(run_ms, end) } else { put };
            self.pieces.insert(file, next);
        }
        Ok(())
    }

    /// A piece that begins now.
    fn next_media(&mut self, run_ms: i64, from: u64) -> Piece {
        let newest = self.newest.entry(run_ms).or_insert(0);
        *newest = Timestamp::now().as_millisecond().max(*newest + 1);
        let now = Instant::now();
        Piece { name: *newest, from, to: from, begun: now, put: now }
    }

    fn journal(&mut self, file: GrowingFile, length: u64) -> Result<(), CopyError> {
        while self.copied(file) < length {
            let from = self.pieces.get(&file).map_or(0, |piece| piece.from);
            let end = length.min(from + JOURNAL_PIECE);
            let name = match file {
                GrowingFile::Recorder(run) => match self.began_at(run)? {
                    Some(run_ms) => Name::Recorder { run_ms, offset: from },
                    None => return Ok(()),
                },
                GrowingFile::Publisher(run) => Name::Publisher { run, offset: from },
                GrowingFile::Part(_) => return Ok(()),
            };
            self.put(name, file, from, end, &Notes::new())?;
            let from = if end - from == JOURNAL_PIECE { end } else { from };
            self.known(file, from as i64, from, end - from);
        }
        Ok(())
    }

    fn documents(&mut self) -> Result<(), CopyError> {
        let json = |document: serde_json::Result<Vec<u8>>| document.unwrap_or_default();
        let told = self.session.told()?.map(|told| json(serde_json::to_vec(&told)));
        let result = self.session.result()?.map(|result| json(serde_json::to_vec(&result)));
        for (name, document) in [(Name::Intent, told), (Name::Result, result)] {
            let Some(document) = document.filter(|document| self.documents.get(&name) != Some(document)) else {
                continue;
            };
            self.store.put_small(&name.to_string(), document.clone(), &Notes::new(), TRY)?;
            self.documents.insert(name, document);
        }
        Ok(())
    }

    fn put(&self, name: Name, file: GrowingFile, from: u64, to: u64, notes: &Notes) -> Result<(), CopyError> {
        let Some(open) = self.session.open_growing(file)? else { return Ok(()) };
        let mut bytes = vec![0; (to - from) as usize];
        open.read_exact_at(&mut bytes, from).map_err(|error| CopyError::Read(file, error))?;
        Ok(self.store.put_small(&name.to_string(), bytes, notes, TRY)?)
    }

    /// How many bytes of the file are in the bucket.
    fn copied(&self, file: GrowingFile) -> u64 {
        self.pieces.get(&file).map_or(0, |piece| piece.to)
    }

    fn length(&self, file: GrowingFile) -> Result<u64, CopyError> {
        let length = |open: File| open.metadata().map(|found| found.len());
        let open = self.session.open_growing(file)?;
        Ok(open.map(length).transpose().map_err(|error| CopyError::Read(file, error))?.unwrap_or(0))
    }

    /// When the run began, in Unix milliseconds, by its own word; None: it has said nothing yet.
    fn began_at(&mut self, run: RunNumber) -> Result<Option<i64>, CopyError> {
        if let Some(began) = self.began.get(&run) {
            return Ok(Some(*began));
        }
        let began = self.session.began(run)?.map(|moment| moment.wall.as_millisecond());
        if let Some(began) = began {
            self.began.insert(run, began);
        }
        Ok(began)
    }
}

/// Reads what is noted with a piece of media.
pub(super) fn place(note: &str) -> Option<(PartName, u64)> {
    let (part, offset) = note.split_once(' ')?;
    Some((part.parse().ok()?, offset.parse().ok()?))
}
