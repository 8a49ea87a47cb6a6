//! The private folder of a running recorder: sockets, profile, logs of its children.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::identity::Identity;

const PREFIX: &str = "panorec-";
/// How long a killed process may take to end.
const DYING: Duration = Duration::from_secs(2);

/// A folder under the system's temporary one, owned by the recording's user, gone with its value.
#[derive(Debug)]
pub struct Workplace {
    path: PathBuf,
    pub identity: Identity,
}

impl Workplace {
    /// Makes the folder, and removes those of recorders that were killed.
    pub fn make() -> io::Result<Self> {
        let root = root();
        remove_abandoned(&root);
        let identity = Identity::choose();
        let (random, ..) = uuid::Uuid::new_v4().as_fields();
        let path = root.join(format!("{PREFIX}{}-{random:08x}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        identity.own(&path)?;
        Ok(Self { path, identity })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new folder inside, for one child.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        if !path.is_dir() {
            std::fs::DirBuilder::new().mode(0o700).create(&path)?;
            self.identity.own(&path)?;
        }
        Ok(path)
    }

    /// Writes a file that only the recording's user reads.
    pub fn file(&self, folder: &str, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.folder(folder)?.join(name);
        std::fs::write(&path, content)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        self.identity.own(&path)?;
        Ok(path)
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let began = Instant::now();
        while let Err(error) = std::fs::remove_dir_all(&self.path) {
            // What was killed still dies, and may make files until then; nothing tells us when.
            if error.kind() != io::ErrorKind::DirectoryNotEmpty || began.elapsed() > DYING {
                tracing::warn!(path = %self.path.display(), %error, "cannot remove the recorder's folder");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The system's folder for temporary files, unless its path is too long: that of a socket has a
/// limit of 107 bytes, and Chrome makes one some folders below (unix(7)).
fn root() -> PathBuf {
    const LONGEST: usize = 30;
    let system = std::env::temp_dir();
    if system.as_os_str().len() <= LONGEST { system } else { PathBuf::from("/tmp") }
}

fn remove_abandoned(root: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split_once('-'))
            .and_then(|(pid, _)| pid.parse::<u32>().ok());
        let dead = pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists());
        if dead && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // Somebody else's folder refuses; that is right.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
