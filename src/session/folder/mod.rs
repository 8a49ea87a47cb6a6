//! The session folder on disk: two halves, their documents, journals and parts.
//! Called by whoever records, publishes or looks at a session; the recorder's half is read as
//! hostile input. Never: reads or writes outside the folder, follows a link in it, or folds.

mod beneath;
mod check;
mod document;
mod error;
mod limits;
mod prepare;
mod read;
mod restore;
mod run;
mod tail;
mod watch;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::Serialize;

use document::Overwrite;

pub(crate) use beneath::Beneath;
pub use document::Saying;
pub use error::FolderError;
pub use prepare::{BadSessionPath, SessionPath};
pub use restore::{GrowingFile, first_line};
pub use run::{HalfEvent, PublisherRun, RecorderRun, Run};
pub use tail::JournalTail;
pub use watch::FolderWatch;

use super::event::{PublisherEvent, RecorderEvent};
use super::fold::Folded;
use super::history::History;
use super::intent::Intent;
use super::name::{PartName, RunNumber};
use super::request::{Delivery, Request};
use super::status::Report;
use super::stream::ToldIntent;

/// An open session folder.
#[derive(Debug)]
pub struct SessionDir {
    root: Beneath,
}

impl SessionDir {
    /// Makes a session folder at `path`, which may be an empty folder already, and writes what
    /// each half is asked to do. Only the owner may enter it.
    pub fn create(path: &Path, request: &Request, delivery: &Delivery) -> Result<SessionDir, FolderError> {
        let root = make_root(path)?;
        let (recorder, publisher) = (root.folder(RecorderEvent::HALF)?, root.folder(PublisherEvent::HALF)?);
        document::write(&publisher, DELIVERY, delivery, Overwrite::Refuse)?;
        // Written last: a folder with a request is a session.
        document::write(&recorder, REQUEST, request, Overwrite::Refuse)?;
        Ok(SessionDir { root })
    }

    /// Makes a session in a place where nobody looks for one. Whoever moves it from there brings it to the disk first.
    ///
    /// # Errors
    /// As [`SessionDir::create`].
    pub fn draft(path: &Path, request: &Request, delivery: &Delivery) -> Result<(), FolderError> {
        let root = make_root(path)?;
        document::draft(&root.folder(PublisherEvent::HALF)?, DELIVERY, delivery)?;
        document::draft(&root.folder(RecorderEvent::HALF)?, REQUEST, request)
    }

    /// Opens a session folder that is there.
    pub fn open(path: &Path) -> Result<SessionDir, FolderError> {
        let none = |error: FolderError| match error {
            FolderError::Io { source, .. }
                if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                FolderError::NoSession { path: path.to_owned() }
            }
            error => error,
        };
        let absolute = std::path::absolute(path).map_err(|error| FolderError::io("find", path, error))?;
        let root = Beneath::open(&absolute).map_err(none)?;
        root.file(format!("{}/{REQUEST}", RecorderEvent::HALF)).map_err(none)?;
        Ok(SessionDir { root })
    }

    /// Opens a session of which only one half may be there, or both: the other one is kept from
    /// whoever has no business with it.
    pub fn open_halves(root: &Path) -> Result<SessionDir, FolderError> {
        let absolute = std::path::absolute(root).map_err(|error| FolderError::io("find", root, error))?;
        Ok(SessionDir { root: Beneath::open(&absolute)? })
    }

    /// The absolute path of the folder.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// What the recorder is asked to do.
    pub fn request(&self) -> Result<Request, FolderError> {
        document::read(&self.root, &format!("{}/{REQUEST}", RecorderEvent::HALF))
    }

    /// Writes what the recorder is asked to do. False: that is there already, and stays.
    pub fn write_request_once(&self, request: &Request) -> Result<bool, FolderError> {
        write_once(&self.root.folder(RecorderEvent::HALF)?, REQUEST, request)
    }

    /// Writes what the publisher is asked to do. False: that is there already, and stays.
    pub fn write_delivery_once(&self, delivery: &Delivery) -> Result<bool, FolderError> {
        write_once(&self.root.folder(PublisherEvent::HALF)?, DELIVERY, delivery)
    }

    /// What the publisher is asked to do.
    pub fn delivery(&self) -> Result<Delivery, FolderError> {
        document::read(&self.root, &format!("{}/{DELIVERY}", PublisherEvent::HALF))
    }

    /// All journals, as far as they count.
    pub fn history(&self) -> Result<History, FolderError> {
        read::history(&self.root)
    }

    /// The newest run of the recorder; 0 before the first.
    pub fn newest_recorder_run(&self) -> Result<RunNumber, FolderError> {
        let runs = self.root.folder(format!("{}/runs", RecorderEvent::HALF))?;
        Ok(read::run_numbers(&runs)?.last().copied().unwrap_or_default())
    }

    /// How the recording stands.
    pub fn folded(&self) -> Result<Folded, FolderError> {
        Ok(Folded::of(&self.history()?))
    }

    /// How the recording stands by the publisher's journals alone: where the recorder's half
    /// cannot be believed.
    pub fn folded_without_recorder(&self) -> Result<Folded, FolderError> {
        Ok(Folded::of(&History::new(Vec::new(), read::publisher_runs(&self.root)?)))
    }

    /// Opens a part for reading: a plain file of this session and nothing else.
    pub fn open_part(&self, part: PartName) -> Result<File, FolderError> {
        self.root.file(format!("{}/parts/{part}", RecorderEvent::HALF))
    }

    /// Whether the newest run of the recorder lives, here or on another machine that shares the
    /// file system's locks.
    pub fn recorder_is_alive(&self) -> Result<bool, FolderError> {
        self.is_alive(RecorderEvent::HALF)
    }

    /// Whether the newest run of the publisher lives.
    pub fn publisher_is_alive(&self) -> Result<bool, FolderError> {
        self.is_alive(PublisherEvent::HALF)
    }

    fn is_alive(&self, half: &str) -> Result<bool, FolderError> {
        let runs = self.root.folder(format!("{half}/runs"))?;
        let Some(run) = read::run_numbers(&runs)?.last().copied() else {
            return Ok(false);
        };
        let relative = format!("{run}/{}", read::JOURNAL);
        let Some(journal) = read::if_there(runs.file(&relative))? else {
            return Ok(false);
        };
        match rustix::fs::flock(&journal, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(FolderError::io("lock", runs.path_of(relative), error)),
        }
    }

    /// The told intent; None: nothing has been told.
    pub fn intent(&self) -> Result<Option<Intent>, FolderError> {
        document::intent(&self.root)
    }

    /// The told intent with the generation it was read from.
    pub fn told(&self) -> Result<Option<ToldIntent>, FolderError> {
        document::told(&self.root)
    }

    /// Keeps what was told, for whoever comes next.
    pub fn keep_told(&self, told: &ToldIntent) -> Result<(), FolderError> {
        document::keep(&self.root.folder(PublisherEvent::HALF)?, told)
    }

    /// Says something to the recording. It takes effect when the recorder has journaled it.
    pub fn tell(&self, saying: Saying) -> Result<Intent, FolderError> {
        let now = jiff::Timestamp::now();
        self.change_intent(|before| saying.to(before, now))
    }

    /// Tells the recording another intent than the one before; what others tell meanwhile comes before or after it.
    pub fn change_intent(&self, change: impl FnOnce(Intent) -> Intent) -> Result<Intent, FolderError> {
        document::tell(&self.root.folder(PublisherEvent::HALF)?, change)
    }

    /// The folder in which `intent.json` appears, by rename; for watching it.
    pub fn intent_folder(&self) -> PathBuf {
        self.root.path_of(PublisherEvent::HALF)
    }

    /// The folder in which the runs of the recorder appear; for watching their journals.
    pub fn recorder_runs_folder(&self) -> PathBuf {
        self.root.path_of(RecorderEvent::HALF).join("runs")
    }

    /// The folder in which the runs of the publisher appear.
    pub fn publisher_runs_folder(&self) -> PathBuf {
        self.root.path_of(PublisherEvent::HALF).join("runs")
    }

    /// Where the publisher makes its files.
    pub fn output_folder(&self) -> PathBuf {
        self.root.path_of(PublisherEvent::HALF).join("output")
    }

    /// Writes result.json, by rename.
    pub fn write_result(&self, result: &impl Serialize) -> Result<(), FolderError> {
        let publisher = self.root.folder(PublisherEvent::HALF)?;
        document::write(&publisher, RESULT, result, Overwrite::Allow)
    }

    /// Reads result.json; None: nothing has come of the recording yet.
    pub fn result(&self) -> Result<Option<Report>, FolderError> {
        read::if_there(document::read(&self.root, &format!("{}/{RESULT}", PublisherEvent::HALF)))
    }

    /// Removes the whole session.
    pub fn remove(self) -> Result<(), FolderError> {
        let path = self.root.path().to_owned();
        std::fs::remove_dir_all(&path).map_err(|error| FolderError::io("remove", &path, error))
    }

    fn root(&self) -> &Beneath {
        &self.root
    }
}

/// Makes the folder of a session with its halves, which must not be there.
fn make_root(path: &Path) -> Result<Beneath, FolderError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|error| FolderError::io("make", parent, error))?;
    }
    let path = std::path::absolute(path).map_err(|error| FolderError::io("find", path, error))?;
    match rustix::fs::mkdir(&path, rustix::fs::Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(FolderError::io("make", &path, error)),
    }
    let root = Beneath::open(&path)?;
    for half in [RecorderEvent::HALF, PublisherEvent::HALF] {
        if !root.make_folder(half)? {
            return Err(FolderError::AlreadyThere { path });
        }
    }
    prepare::make_halves(&root)?;
    Ok(root)
}

fn write_once(half: &Beneath, name: &str, document: &impl Serialize) -> Result<bool, FolderError> {
    if half.has(name)? {
        return Ok(false);
    }
    document::write(half, name, document, Overwrite::Refuse).map(|()| true)
}

const REQUEST: &str = "request.json";
const DELIVERY: &str = "delivery.json";
const RESULT: &str = "result.json";
