//! The file of keys, read again when it changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::complaint::Complaint;
use crate::gateway::auth::{Gate, Keys};

/// A mounted Secret changes without a word on some file systems.
const LOOK: Duration = Duration::from_secs(2);

/// A file of keys as it was read last.
pub(super) struct KeysFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl KeysFile {
    /// Reads it.
    pub(super) fn open(path: PathBuf) -> Result<(KeysFile, Keys), Complaint> {
        let unusable = |why: &dyn std::fmt::Display| {
            Complaint::usage(format!("the keys in {} cannot be used: {why}", path.display()))
        };
        let bytes = std::fs::read(&path).map_err(|error| unusable(&error))?;
        let keys = Keys::parse(&bytes).map_err(|error| unusable(&error))?;
        if keys.count() == 0 {
            return Err(unusable(&"there are none, so nobody could call"));
        }
        Ok((KeysFile { path, bytes }, keys))
    }

    /// Gives the gate what it holds from now on. Keys that cannot be read leave the last ones in force.
    pub(super) async fn follow(mut self, gate: Arc<Gate>, end: CancellationToken) {
        let mut said = String::new();
        while end.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let path = self.path.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || std::fs::read(path)).await else { continue };
            let parsed = match read {
                Ok(bytes) if bytes == self.bytes => continue,
                Ok(bytes) => Keys::parse(&bytes).map(|keys| (bytes, keys)).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match parsed {
                Ok((bytes, keys)) => {
                    tracing::info!(keys = keys.count(), "the keys have changed");
                    gate.set_keys(keys);
                    self.bytes = bytes;
                    said.clear();
                }
                Err(why) if why != said => {
                    tracing::error!(why, path = %self.path.display(), "the keys cannot be used; the last ones stay");
                    said = why;
                }
                Err(_) => {}
            }
        }
    }
}
