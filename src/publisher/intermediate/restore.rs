//! A session put back from its bucket, onto a disk that has nothing of it, or less.

use std::collections::BTreeMap;

use super::copy::place;
use super::names::Name;
use super::{PLACE, TRY, open};
use crate::egress::Resolver;
use crate::session::folder::{FolderError, GrowingFile, SessionDir, first_line};
use crate::session::name::RunNumber;
use crate::session::request::Intermediate;
use crate::store::{Listed, S3Store, Small, StoreError};

/// What was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Runs of the recorder.
    pub runs: usize,
    /// Pieces of media.
    pub pieces: usize,
    pub bytes: u64,
}

/// Why a session is not put back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The disk.
    #[error(transparent)]
    Session(#[from] FolderError),
    /// The bucket.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Puts back what the bucket has of a session. What the disk has stays as it is. A recording that has its result
/// needs its media only where it is to be published `again`.
///
/// It blocks; not to be called in an async context.
///
/// # Errors
/// A store that cannot be read within half a minute a request; a full disk.
pub fn restore(
    session: &SessionDir,
    intermediate: &Intermediate,
    again: bool,
    resolver: &Resolver,
) -> Result<Restored, RestoreError> {
    let store = open(intermediate, resolver)?;
    let listed = store.list(TRY)?;
    let names: Vec<(Name, &Listed)> =
        listed.iter().filter_map(|object| Some((object.name.parse().ok()?, object))).collect();
    let mut restored = Restored::default();
    let runs = recorder_runs(&store, session, &names, &mut restored)?;
    restored.runs = runs.len();
    let mut over = false;
    for (name, object) in &names {
        let read = || store.read(&object.name, TRY);
        match *name {
            Name::Publisher { run, offset } => {
                session.put_back(GrowingFile::Publisher(run), offset, &read()?.bytes)?;
            }
            Name::Intent if session.told()?.is_none() => {
                if let Ok(told) = serde_json::from_slice(&read()?.bytes) {
                    session.keep_told(&told)?;
                }
            }
            Name::Result => {
                over = true;
                if session.result()?.is_none()
                    && let Ok(result) = serde_json::from_slice::<serde_json::Value>(&read()?.bytes)
                {
                    session.write_result(&result)?;
                }
            }
            Name::Intent | Name::Media { .. } | Name::Recorder { .. } => {}
        }
    }
    if !over || again {
        media(&store, session, &names, &runs, &mut restored)?;
    }
    Ok(restored)
}

/// Puts back the journals of the recorder; its runs, by when they began.
fn recorder_runs(
    store: &S3Store<'_>,
    session: &SessionDir,
    names: &[(Name, &Listed)],
    restored: &mut Restored,
) -> Result<BTreeMap<i64, RunNumber>, RestoreError> {
    let mut runs = BTreeMap::new();
    for (name, object) in names {
        let Name::Recorder { run_ms, offset } = *name else { continue };
        let Small { bytes, .. } = store.read(&object.name, TRY)?;
        let run = match runs.get(&run_ms) {
            Some(run) => *run,
            None => match first_line(&bytes) {
                Some((run, _)) => run,
                None => continue,
            },
        };
        runs.insert(run_ms, run);
        restored.bytes += bytes.len() as u64;
        session.put_back(GrowingFile::Recorder(run), offset, &bytes)?;
    }
    Ok(runs)
}

fn media(
    store: &S3Store<'_>,
    session: &SessionDir,
    names: &[(Name, &Listed)],
    runs: &BTreeMap<i64, RunNumber>,
    restored: &mut Restored,
) -> Result<(), RestoreError> {
    for (name, object) in names {
        let Name::Media { run_ms, .. } = *name else { continue };
        let Some(run) = runs.get(&run_ms) else { continue };
        let Small { bytes, notes } = store.read(&object.name, TRY)?;
        let noted = notes.get(PLACE).and_then(|noted| place(noted));
        let Some((part, offset)) = noted.filter(|(part, _)| part.run == *run) else {
            tracing::warn!(piece = object.name, "nothing is noted of where it belongs; it is left out");
            continue;
        };
        if !session.put_back(GrowingFile::Part(part), offset, &bytes)? {
            tracing::warn!(piece = object.name, "what comes before it is missing; it is left out");
            continue;
        }
        restored.pieces += 1;
        restored.bytes += bytes.len() as u64;
    }
    Ok(())
}
