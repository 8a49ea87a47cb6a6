//! Making the folders of a session in a place that others share.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use uuid::Uuid;

use super::SessionDir;
use super::beneath::Beneath;
use super::error::FolderError;
use super::run::HalfEvent;
use crate::session::event::{PublisherEvent, RecorderEvent};

/// Where a session lies in a claim: `<namespace>/<name>/<uid>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionPath {
    namespace: String,
    name: String,
    uid: Uuid,
}

impl SessionPath {
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the recording.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn uid(&self) -> Uuid {
        self.uid
    }
}

/// The text is no place of a session.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no place of a session; it must be <namespace>/<name>/<uid> of the recording")]
pub struct BadSessionPath(String);

impl FromStr for SessionPath {
    type Err = BadSessionPath;

    fn from_str(text: &str) -> Result<SessionPath, BadSessionPath> {
        let parse = || {
            let mut components = text.split('/');
            let (namespace, name, uid) = (components.next()?, components.next()?, components.next()?);
            let uid = Uuid::try_parse(uid).ok()?;
            (components.next().is_none() && is_label(namespace) && name.len() <= 253 && name.split('.').all(is_label))
                .then(|| SessionPath { namespace: namespace.to_owned(), name: name.to_owned(), uid })
        };
        // The round trip refuses other spellings of a UUID.
        parse().filter(|path| path.to_string() == text).ok_or_else(|| BadSessionPath(text.chars().take(80).collect()))
    }
}

impl fmt::Display for SessionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.name, self.uid)
    }
}

/// A label of a DNS name (RFC 1123).
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| plain(byte) || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl SessionDir {
    /// Makes the folders of both halves at `path` beneath `root`, for their owner alone. What is
    /// there already is fine, as long as it is a folder of our own.
    ///
    /// # Errors
    /// A link or another user's folder on the way; what the file system gives.
    pub fn prepare(root: &Path, path: &SessionPath) -> Result<(), FolderError> {
        let mut folder = Beneath::open(root)?;
        for component in [path.namespace.as_str(), &path.name, &path.uid.to_string()] {
            folder = own_folder(&folder, component)?;
        }
        make_halves(&folder)
    }
}

/// Makes the folders of both halves.
pub(super) fn make_halves(session: &Beneath) -> Result<(), FolderError> {
    for (half, inner) in [(RecorderEvent::HALF, ["runs", "parts"]), (PublisherEvent::HALF, ["runs", "output"])] {
        let half = own_folder(session, half)?;
        for name in inner {
            own_folder(&half, name)?;
        }
    }
    Ok(())
}

/// A folder of ours, made where it is not there.
fn own_folder(parent: &Beneath, name: &str) -> Result<Beneath, FolderError> {
    parent.make_folder(name)?;
    let folder = parent.folder(name)?;
    let stat = rustix::fs::fstat(folder.fd()).map_err(|error| FolderError::io("look at", folder.path(), error))?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        let path = folder.path().to_owned();
        return Err(FolderError::Hostile { path, found: "another user's folder", wanted: "a folder of our own" });
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0b9b4e3a-7d52-4f3c-9a56-2f2d0a0c9b11";

    #[test]
    fn only_names_of_kubernetes_are_a_place() {
        assert!(format!("school/lesson-4.b/{UID}").parse::<SessionPath>().is_ok());
        for text in [
            format!("school/lesson/{}", UID.to_uppercase()),
            format!("school/../{UID}"),
            format!("/school/lesson/{UID}"),
            format!("school/lesson/{UID}/"),
            format!("school/.lesson/{UID}"),
            format!("a.b/lesson/{UID}"),
            format!("school//{UID}"),
            "school/lesson/uid".to_owned(),
            "school/lesson".to_owned(),
        ] {
            assert!(text.parse::<SessionPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn folders_are_made_once_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path: SessionPath = format!("school/lesson/{UID}").parse().unwrap();
        SessionDir::prepare(dir.path(), &path).unwrap();
        SessionDir::prepare(dir.path(), &path).unwrap();
        for inner in ["recorder/runs", "recorder/parts", "publisher/runs", "publisher/output"] {
            use std::os::unix::fs::PermissionsExt;
            let meta = std::fs::metadata(dir.path().join(path.to_string()).join(inner)).unwrap();
            assert_eq!(meta.permissions().mode() & 0o777, 0o700, "{inner}");
        }
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("link")).unwrap();
        let path: SessionPath = format!("link/lesson/{UID}").parse().unwrap();
        assert!(matches!(SessionDir::prepare(dir.path(), &path), Err(FolderError::Hostile { .. })));
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
