//! Putting back what a session had on a disk that is lost, from copies of its files; and reading them for that.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::SessionDir;
use super::beneath::Beneath;
use super::error::FolderError;
use super::limits;
use super::read::{JOURNAL, if_there, run_numbers};
use super::run::HalfEvent;
use crate::session::event::{Entry, Moment, PublisherEvent, RecorderEvent};
use crate::session::name::{PartName, RunNumber};

/// A file of a session that only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrowingFile {
    /// Media.
    Part(PartName),
    /// The journal of a run of the recorder.
    Recorder(RunNumber),
    /// The journal of a run of the publisher.
    Publisher(RunNumber),
}

impl SessionDir {
    /// The numbers of the runs that half `E` has had here.
    pub fn runs_of<E: HalfEvent>(&self) -> Result<Vec<RunNumber>, FolderError> {
        match if_there(self.root().folder(format!("{}/runs", E::HALF)))? {
            Some(runs) => run_numbers(&runs),
            None => Ok(Vec::new()),
        }
    }

    /// The parts that lie here, whether a journal tells of them or not, in order.
    pub fn parts_on_disk(&self) -> Result<Vec<PartName>, FolderError> {
        let Some(parts) = if_there(self.root().folder(format!("{}/parts", RecorderEvent::HALF)))? else {
            return Ok(Vec::new());
        };
        let mut names: Vec<PartName> =
            parts.names(2 * limits::PARTS)?.iter().filter_map(|name| name.parse().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Opens a file that only grows, for reading; None: it is not there.
    pub fn open_growing(&self, file: GrowingFile) -> Result<Option<File>, FolderError> {
        let (half, folder, name) = file.place();
        if_there(self.root().file(format!("{half}/{folder}/{name}")))
    }

    /// When a run of the recorder began, by its journal's first line; None: it has none yet, or not of ours.
    pub fn began(&self, run: RunNumber) -> Result<Option<Moment>, FolderError> {
        let Some(file) = self.open_growing(GrowingFile::Recorder(run))? else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = file.take(limits::LINE_BYTES as u64).read_to_end(&mut bytes);
        read.map_err(|error| FolderError::io("read the journal in", self.recorder_runs_folder(), error))?;
        Ok(first_line(&bytes).filter(|(named, _)| *named == run).map(|(_, at)| at))
    }

    /// Puts back bytes of a file that only grows; what is there of it stays. False: something before them is
    /// missing, so that they are of no use.
    pub fn put_back(&self, file: GrowingFile, offset: u64, bytes: &[u8]) -> Result<bool, FolderError> {
        let (half, folder, name) = file.place();
        let mut folder = self.root().folder(format!("{half}/{folder}"))?;
        if let GrowingFile::Recorder(run) | GrowingFile::Publisher(run) = file {
            folder.make_folder(run.to_string())?;
            folder = folder.folder(run.to_string())?;
        }
        let name = name.rsplit('/').next().unwrap_or_default();
        let path = folder.path_of(name);
        let failed = |error: std::io::Error| FolderError::io("put back", &path, error);
        let file = open_or_create(&folder, name)?;
        let length = file.metadata().map_err(failed)?.len();
        if offset > length {
            return Ok(false);
        }
        let known = usize::try_from(length - offset).unwrap_or(usize::MAX);
        if let Some(news) = bytes.get(known..).filter(|news| !news.is_empty()) {
            file.write_all_at(news, length).map_err(failed)?;
            file.sync_data().map_err(failed)?;
        }
        Ok(true)
    }

    /// Leaves the session to a run of the publisher that works elsewhere: the ones here stop.
    pub fn leave_to(&self, run: RunNumber) -> Result<(), FolderError> {
        let runs = self.root().folder(format!("{}/runs", PublisherEvent::HALF))?;
        runs.make_folder(run.to_string()).map(drop)
    }
}

impl GrowingFile {
    /// Its half, the folder in that, and its path in this one.
    fn place(self) -> (&'static str, &'static str, String) {
        match self {
            GrowingFile::Part(part) => (RecorderEvent::HALF, "parts", part.to_string()),
            GrowingFile::Recorder(run) => (RecorderEvent::HALF, "runs", format!("{run}/{JOURNAL}")),
            GrowingFile::Publisher(run) => (PublisherEvent::HALF, "runs", format!("{run}/{JOURNAL}")),
        }
    }
}

/// The run whose journal begins so, and when it began; None: it is no journal of a recorder.
pub fn first_line(journal: &[u8]) -> Option<(RunNumber, Moment)> {
    let end = journal.iter().position(|byte| *byte == b'\n')?;
    let entry: Entry<RecorderEvent> = serde_json::from_slice(&journal[..end]).ok()?;
    match entry.event {
        RecorderEvent::RunStarted { run, .. } if run.0 > 0 => Some((run, entry.at)),
        _ => None,
    }
}

fn open_or_create(folder: &Beneath, name: &str) -> Result<File, FolderError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(folder.fd(), name, flags, Mode::RUSR | Mode::WUSR)
        .map(File::from)
        .map_err(|error: Errno| FolderError::io("put back", folder.path_of(name), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_back_only_ever_lengthens() {
        let dir = tempfile::tempdir().unwrap();
        let path = "school/lesson/0b9b4e3a-7d52-4f3c-9a56-2f2d0a0c9b11".parse().unwrap();
        SessionDir::prepare(dir.path(), &path).unwrap();
        let session = SessionDir::open_halves(&dir.path().join(path.to_string())).unwrap();
        let part = GrowingFile::Part("1-1.webm".parse().unwrap());
        assert!(session.open_growing(part).unwrap().is_none());
        assert!(!session.put_back(part, 1, b"x").unwrap(), "with a hole before it");
        for (offset, bytes) in [(0, "abc"), (3, "def"), (0, "ab"), (2, "cdefg"), (9, "x")] {
            assert_eq!(session.put_back(part, offset, bytes.as_bytes()).unwrap(), offset <= 7);
        }
        let journal = GrowingFile::Recorder(RunNumber(3));
        assert!(session.put_back(journal, 0, b"{}\n").unwrap());
        assert_eq!(std::io::read_to_string(session.open_growing(part).unwrap().unwrap()).unwrap(), "abcdefg");
        assert_eq!(session.runs_of::<RecorderEvent>().unwrap(), [RunNumber(3)]);
        assert_eq!(session.parts_on_disk().unwrap(), ["1-1.webm".parse().unwrap()]);
    }
}
