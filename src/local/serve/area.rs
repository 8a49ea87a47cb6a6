//! The data folder: a session a task in it, with `task.json` and `secrets/` beside the session's halves. One process
//! at a time has it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::task::Asked;
use crate::complaint::Complaint;
use crate::gateway::Secret;
use crate::gateway::action::Start;
use crate::session::fold::{Folded, Phase};
use crate::session::folder::{FolderError, SessionDir};
use crate::session::name::TaskId;
use crate::session::request::{Delivery, Request};

const LOCK: &str = ".lock";
const TASK: &str = "task.json";
const SECRETS: &str = "secrets";
/// What is being made or removed begins with a dot, which no task does.
const NEW: &str = ".new-";
const GOING: &str = ".going-";
/// `task.json` is hardly larger than the body of a request, in bytes.
const LARGEST: u64 = 2 << 20;

/// The data folder, held by this process.
pub(super) struct Area {
    folder: PathBuf,
    _lock: File,
}

/// What a session of the folder is called, and what was asked for.
pub(super) struct Found {
    pub id: TaskId,
    pub asked: Asked,
    pub session: SessionDir,
}

/// Where what is secret of a session lies; nothing else has it.
pub(super) struct SecretFiles {
    pub hls_key: PathBuf,
    pub login: PathBuf,
}

impl Area {
    /// Takes the folder, and removes what an earlier process left half made or half removed.
    ///
    /// # Errors
    /// Another process has it; it cannot be used.
    pub(super) fn open(folder: &Path) -> Result<Area, Complaint> {
        let shown = folder.display();
        let unusable = |error: io::Error| {
            Complaint::usage(format!("the data folder {shown} cannot be used ({error}); give --data another one"))
        };
        let folder = std::path::absolute(folder).map_err(unusable)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(unusable)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(folder.join(LOCK));
        let lock = lock.map_err(unusable)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(Complaint::usage(format!(
                    "another `panorec serve` has the data folder {shown}; end that one, or give --data another folder"
                )));
            }
            Err(error) => return Err(unusable(error.into())),
        }
        let area = Area { folder, _lock: lock };
        for name in area.names().map_err(unusable)? {
            if [NEW, GOING].iter().any(|prefix| name.starts_with(prefix)) {
                fs::remove_dir_all(area.folder.join(name)).map_err(unusable)?;
            }
        }
        Ok(area)
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    pub(super) fn secrets(&self, id: &TaskId) -> SecretFiles {
        SecretFiles::in_folder(&self.folder.join(id.as_str()))
    }

    pub(super) fn session(&self, id: &TaskId) -> Result<SessionDir, FolderError> {
        SessionDir::open(&self.folder.join(id.as_str()))
    }

    /// Makes a session: it is there as a whole, on the disk, or not at all.
    pub(super) fn make(
        &self,
        start: &Start,
        asked: &Asked,
        request: &Request,
        delivery: &Delivery,
    ) -> Result<SessionDir, FolderError> {
        let id = delivery.task_id.as_str();
        let (new, path) = (self.folder.join(format!("{NEW}{id}")), self.folder.join(id));
        let made = self.make_at(&new, start, asked, request, delivery).and_then(|()| {
            let put = || {
                sync_whole(&new)?;
                rustix::fs::rename(&new, &path)?;
                File::open(&self.folder)?.sync_all()
            };
            put().map_err(|error| FolderError::io("make", &path, error))
        });
        if made.is_err() {
            let _ = fs::remove_dir_all(&new);
        }
        made.and_then(|()| SessionDir::open(&path))
    }

    fn make_at(
        &self,
        new: &Path,
        start: &Start,
        asked: &Asked,
        request: &Request,
        delivery: &Delivery,
    ) -> Result<(), FolderError> {
        let failed = |error: io::Error| FolderError::io("make", new, error);
        let secrets = SecretFiles::in_folder(new);
        let folder = |path: &Path| DirBuilder::new().mode(0o700).create(path).map_err(failed);
        folder(new)?;
        folder(&new.join(SECRETS))?;
        let keep = |path: &Path, secret: &Option<Secret>| match secret {
            Some(secret) => write(path, secret.expose().as_bytes()).map_err(failed),
            None => Ok(()),
        };
        keep(&secrets.hls_key, &start.encrypt_key)?;
        keep(&secrets.login, &start.login_state)?;
        let json = serde_json::to_vec_pretty(asked).map_err(|error| failed(error.into()))?;
        write(&new.join(TASK), &json).map_err(failed)?;
        SessionDir::draft(new, request, delivery)
    }

    /// All sessions that were made here, the oldest first. What cannot be read is left where it is.
    pub(super) fn sessions(&self) -> Result<Vec<Found>, Complaint> {
        let names = self.names();
        let names = names.map_err(|error| Complaint::internal(format!("{}: {error}", self.folder.display())))?;
        let mut found = Vec::with_capacity(names.len());
        for id in names.iter().filter_map(|name| name.parse::<TaskId>().ok()) {
            let path = self.folder.join(id.as_str());
            let asked = read(&path.join(TASK));
            let opened =
                asked.and_then(|asked| Ok((asked, SessionDir::open(&path).map_err(|error| error.to_string())?)));
            match opened {
                Ok((asked, session)) => found.push(Found { id, asked, session }),
                Err(error) => tracing::warn!(path = %path.display(), error, "is left alone: it is no task of ours"),
            }
        }
        found.sort_by_cached_key(|found| (found.asked.created, found.id.clone()));
        Ok(found)
    }

    /// Removes a session with its files; seen from outside all at once.
    pub(super) fn remove(&self, id: &TaskId) -> io::Result<()> {
        let going = self.folder.join(format!("{GOING}{id}"));
        fs::rename(self.folder.join(id.as_str()), &going)?;
        fs::remove_dir_all(going)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.folder)?;
        entries.filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose()).collect()
    }
}

impl SecretFiles {
    fn in_folder(session: &Path) -> SecretFiles {
        let secrets = session.join(SECRETS);
        SecretFiles { hls_key: secrets.join("hls.key"), login: secrets.join("login.json") }
    }

    /// Whether any of them is there.
    pub(super) fn are_there(&self) -> bool {
        self.hls_key.exists() || self.login.exists()
    }

    /// Removes what nothing comes of any more: no recorder begins once the recording has ended, and a video that was
    /// delivered is not made again. One that was not may be, by `panorec publish`.
    pub(super) fn remove_spent(&self, folded: &Folded) {
        let is_published = folded.phase() == Phase::Finished && folded.published.failure.is_none();
        for (path, is_spent) in [(&self.login, folded.is_stopped()), (&self.hls_key, is_published)] {
            match is_spent.then(|| fs::remove_file(path)) {
                Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "a secret that is not needed any more stays");
                }
                _ => {}
            }
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// Brings a folder to the disk with all that is in it. Once all of it is written, for then the file system's journal
/// takes most of it in with the first file.
fn sync_whole(folder: &Path) -> io::Result<()> {
    let (mut files, mut folders, mut unread) = (Vec::new(), Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = unread.pop() {
        let entries = fs::read_dir(&folder)?.collect::<io::Result<Vec<_>>>()?;
        // An empty one is no more than its name, which its parent has.
        if !entries.is_empty() {
            folders.push(folder);
        }
        for entry in entries {
            let found = if entry.file_type()?.is_dir() { &mut unread } else { &mut files };
            found.push(entry.path());
        }
    }
    files.iter().chain(&folders).try_for_each(|path| File::open(path)?.sync_all())
}

fn read(path: &Path) -> Result<Asked, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, LARGEST), &mut bytes).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::{Entry, Moment, PublishFailure, PublisherEvent, RecorderEvent};
    use crate::session::intent::By;
    use crate::session::name::RunNumber;

    fn now<E>(event: E) -> Entry<E> {
        Entry { v: 1, at: Moment { wall: jiff::Timestamp::UNIX_EPOCH, mono_us: 1 }, event }
    }

    #[test]
    fn secrets_go_when_nothing_comes_of_them_any_more() {
        let place = tempfile::tempdir().unwrap();
        let secrets = SecretFiles { hls_key: place.path().join("key"), login: place.path().join("login") };
        for is_delivered in [true, false] {
            fs::write(&secrets.hls_key, "k").unwrap();
            fs::write(&secrets.login, "l").unwrap();
            let left = |folded: &Folded| {
                secrets.remove_spent(folded);
                (secrets.login.exists(), secrets.hls_key.exists())
            };
            let mut folded = Folded::default();
            assert_eq!(left(&folded), (true, true));
            let stopped = RecorderEvent::Stopped { by: By::Intent, video_us: 1 };
            folded.apply_recorder(RunNumber(1), &now(stopped));
            assert_eq!(left(&folded), (false, true));
            if !is_delivered {
                let (failure, message) = (PublishFailure::Delivery, "no".to_owned());
                folded.apply_publisher(&now(PublisherEvent::Failed { failure, message }));
            }
            assert_eq!(left(&folded), (false, true));
            folded.apply_publisher(&now(PublisherEvent::Finished));
            assert_eq!(left(&folded), (false, !is_delivered));
        }
    }

    #[test]
    fn a_folder_has_one_owner_and_what_is_half_made_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("data");
        let area = Area::open(&folder).unwrap();
        let refused = Area::open(&folder).err().unwrap().to_string();
        assert!(refused.starts_with("another `panorec serve` has the data folder"), "{refused}");
        drop(area);
        for half in [".new-x", ".going-x", "kept"] {
            fs::create_dir_all(folder.join(half).join("recorder")).unwrap();
        }
        let area = Area::open(&folder).unwrap();
        let mut names = area.names().unwrap();
        names.sort();
        assert_eq!(names, [LOCK, "kept"]);
        assert!(area.sessions().unwrap().is_empty(), "that is no task");
    }
}
