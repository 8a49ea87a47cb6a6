//! Opening what lies beneath a folder, and nothing else: whoever may write there cannot lead the
//! reader out of it, hand it a device, or make it wait.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::error::FolderError;

/// An open folder; paths given to it are beneath it.
#[derive(Debug)]
pub(crate) struct Beneath {
    fd: OwnedFd,
    path: PathBuf,
}

impl Beneath {
    /// Opens the folder itself; links in `path` are followed, for it is the caller's own word.
    pub(crate) fn open(path: &Path) -> Result<Beneath, FolderError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| FolderError::io("open", path, error))?;
        Ok(Beneath { fd, path: path.to_owned() })
    }

    /// A folder beneath this one.
    pub(crate) fn folder(&self, relative: impl AsRef<Path>) -> Result<Beneath, FolderError> {
        let path = self.path_of(&relative);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd =
            self.resolve(relative.as_ref(), flags, Mode::empty()).map_err(|errno| refused(errno, &path, "a folder"))?;
        Ok(Beneath { fd, path })
    }

    /// Opens a regular file that has no other name, for reading.
    pub(crate) fn file(&self, relative: impl AsRef<Path>) -> Result<File, FolderError> {
        let path = self.path_of(&relative);
        // Without NONBLOCK the open of a pipe would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        for _ in 0..REPLACED {
            let fd = self.resolve(relative.as_ref(), flags, Mode::empty());
            let fd = fd.map_err(|errno| refused(errno, &path, PLAIN))?;
            let stat = rustix::fs::fstat(&fd).map_err(|error| FolderError::io("look at", &path, error))?;
            let found = match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile if stat.st_nlink == 1 => return Ok(File::from(fd)),
                FileType::RegularFile if stat.st_nlink == 0 => continue,
                FileType::RegularFile => "a file with a second name (hard link)",
                FileType::Directory => "a folder",
                FileType::Fifo => "a pipe",
                FileType::Socket => "a socket",
                _ => "a device",
            };
            return Err(FolderError::Hostile { path, found, wanted: PLAIN });
        }
        Err(FolderError::Hostile { path, found: "a file that is replaced all the time", wanted: PLAIN })
    }

    /// Reads a whole file of at most `limit` bytes.
    pub(super) fn read(&self, relative: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>, FolderError> {
        let path = self.path_of(&relative);
        read_at_most(self.file(relative)?, &path, limit)
    }

    /// Creates a file that must not be there yet; `flags` beyond those of a new file.
    pub(super) fn create_new(&self, name: impl AsRef<Path>, flags: OFlags) -> Result<File, FolderError> {
        let path = self.path_of(&name);
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name.as_ref(), flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| FolderError::io("create", &path, error))?;
        Ok(File::from(fd))
    }

    /// Makes a folder that must not be there yet, and makes that durable. False: it is there.
    pub(crate) fn make_folder(&self, name: impl AsRef<Path>) -> Result<bool, FolderError> {
        match rustix::fs::mkdirat(&self.fd, name.as_ref(), Mode::RWXU) {
            Ok(()) => self.sync().map(|()| true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(FolderError::io("make", self.path_of(&name), error)),
        }
    }

    /// Whether anything of this name is there, whatever it is.
    pub(crate) fn has(&self, name: impl AsRef<Path>) -> Result<bool, FolderError> {
        let no_follow = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        match rustix::fs::statat(&self.fd, name.as_ref(), no_follow) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(FolderError::io("look at", self.path_of(&name), error)),
        }
    }

    /// The names in this folder, at most `limit`.
    pub(crate) fn names(&self, limit: usize) -> Result<Vec<String>, FolderError> {
        let failed = |error: Errno| FolderError::io("list", &self.path, error);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if matches!(name, "." | "..") {
                continue;
            }
            if names.len() == limit {
                return Err(FolderError::TooMany { path: self.path.clone(), what: "entries", limit });
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    /// Makes what was created or renamed here durable.
    pub(crate) fn sync(&self) -> Result<(), FolderError> {
        rustix::fs::fsync(&self.fd).map_err(|error| FolderError::io("sync", &self.path, error))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn path_of(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.path.join(relative)
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    fn resolve(&self, relative: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.fd, relative, flags, mode, within) {
            // Old kernels lack the call; some container runtimes forbid it.
            Err(Errno::NOSYS | Errno::PERM) => open_by_component(&self.fd, relative, flags, mode),
            result => result,
        }
    }
}

const PLAIN: &str = "a plain file";
/// Its writer may have put a newer file in its place since it was opened, but hardly so often.
const REPLACED: usize = 100;

/// Reads at most `limit` bytes; more than that is an error.
pub(super) fn read_at_most(file: File, path: &Path, limit: u64) -> Result<Vec<u8>, FolderError> {
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| FolderError::io("read", path, error))?;
    if bytes.len() as u64 > limit {
        return Err(FolderError::TooBig { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Opens `relative` one component at a time, following no link anywhere.
fn open_by_component(root: impl AsFd, relative: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let mut components = relative.components().peekable();
    let mut folder: Option<OwnedFd> = None;
    while let Some(component) = components.next() {
        let Component::Normal(name) = component else {
            return Err(Errno::XDEV);
        };
        let at = folder.as_ref().map_or(root.as_fd(), AsFd::as_fd);
        let no_follow = OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if components.peek().is_none() {
            return rustix::fs::openat(at, name, flags | no_follow, mode);
        }
        let walk = OFlags::RDONLY | OFlags::DIRECTORY | no_follow;
        folder = Some(rustix::fs::openat(at, name, walk, Mode::empty())?);
    }
    Err(Errno::NOENT)
}

fn refused(errno: Errno, path: &Path, wanted: &'static str) -> FolderError {
    let found = match errno {
        Errno::LOOP | Errno::XDEV => "a link, or behind one,",
        Errno::NOTDIR => "not beneath a folder",
        Errno::NXIO => "a socket or a device",
        errno => return FolderError::io("open", path, errno),
    };
    FolderError::Hostile { path: path.to_owned(), found, wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_replaced_while_it_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (file, fresh) = (dir.path().join("file"), dir.path().join("fresh"));
        std::fs::write(&file, "x").unwrap();
        let root = Beneath::open(dir.path()).unwrap();
        let replaced = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..3_000 {
                    std::fs::write(&fresh, "x").unwrap();
                    std::fs::rename(&fresh, &file).unwrap();
                }
                replaced.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            while !replaced.load(std::sync::atomic::Ordering::Relaxed) {
                assert_eq!(root.read("file", 1).unwrap(), b"x");
            }
        });
    }

    /// The fallback is held to the same as openat2.
    #[test]
    fn opening_by_component_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        std::fs::write(dir.path().join("in/file"), "x").unwrap();
        std::os::unix::fs::symlink("in", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("file", dir.path().join("in/link")).unwrap();
        let root = Beneath::open(dir.path()).unwrap();
        let open = |path: &str| open_by_component(root.fd(), Path::new(path), OFlags::RDONLY, Mode::empty()).map(drop);
        assert_eq!(open("in/file"), Ok(()));
        assert_eq!(open("in/link"), Err(Errno::LOOP));
        assert_eq!(open("link/file"), Err(Errno::NOTDIR));
        assert_eq!(open("in/../in/file"), Err(Errno::XDEV));
        assert_eq!(open("/etc/hostname"), Err(Errno::XDEV));
    }
}
