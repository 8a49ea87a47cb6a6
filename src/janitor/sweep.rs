//! Goes through a claim, folder by folder: looks, decides, removes.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::claim::{Claim, Scan};
use super::cluster::Cluster;
use super::decide::{Expired, Need, Retention, Verdict, decide};
use super::remove::{finish, remove_empty, take_away};
use crate::session::folder::{FolderError, SessionPath};

/// What a finished recording can do without: the half, and the folder in it.
const PARTS: (&str, &str) = ("recorder", "parts");
const OUTPUT: (&str, &str) = ("publisher", "output");

/// Whether anything is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Remove,
    DryRun,
}

/// What was done with a folder, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub mode: Mode,
    pub deed: Deed,
}

/// What is done with a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    Keep(Need),
    RemoveParts,
    RemoveMedia,
    Remove(Expired),
    /// The rest of a removal that was broken off.
    RemoveRest,
    RemoveEmpty,
    Fail(String),
}

/// What was done in all.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub kept: usize,
    /// Sessions whose parts went.
    pub lightened: usize,
    /// Sessions that went, and rests of such.
    pub removed: usize,
    /// Empty folders that went.
    pub empty: usize,
    pub failed: usize,
    /// What is no session, and was left alone.
    pub foreign: usize,
}

/// Goes through what was found; `tell` hears of each folder.
pub fn sweep(
    claim: &Claim,
    scan: Scan,
    cluster: &Cluster,
    retention: &Retention,
    mode: Mode,
    now: Timestamp,
    tell: &mut dyn FnMut(&Path, &Done),
) -> Swept {
    let mut swept = Swept { foreign: scan.foreign.len(), ..Swept::default() };
    for path in &scan.foreign {
        tracing::warn!(path = %path.display(), "it is no session of panorec; left alone");
    }
    let mut note = |path: &Path, result: Result<Deed, FolderError>| {
        let deed = result.unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "left as it is");
            Deed::Fail(error.to_string())
        });
        *match deed {
            Deed::Keep(_) => &mut swept.kept,
            Deed::RemoveParts | Deed::RemoveMedia => &mut swept.lightened,
            Deed::Remove(_) | Deed::RemoveRest => &mut swept.removed,
            Deed::RemoveEmpty => &mut swept.empty,
            Deed::Fail(_) => &mut swept.failed,
        } += 1;
        tell(path, &Done { mode, deed });
    };
    for (holder, hidden) in &scan.leftovers {
        let removed = match mode {
            Mode::Remove => claim.root.folder(holder).and_then(|folder| finish(&folder, hidden)),
            Mode::DryRun => Ok(()),
        };
        note(&holder.join(hidden), removed.map(|()| Deed::RemoveRest));
    }
    for session in &scan.sessions {
        let done = claim.look(session).and_then(|folder| {
            let verdict = decide(&folder, cluster.known(session), cluster.has_pod(session), retention, now);
            if mode == Mode::Remove {
                act(claim, session, verdict)?;
            }
            Ok(Deed::from(verdict))
        });
        note(&PathBuf::from(session.to_string()), done);
    }
    if mode == Mode::Remove {
        // The inner ones first. A pod that makes its folder at this very moment may find its parent
        // gone; so those that may have such a pod are left.
        let unneeded = |path: &&PathBuf| !is_needed(path, cluster);
        for path in scan.holders.iter().rev().filter(unneeded) {
            match remove_empty(&claim.root, path) {
                Ok(true) => note(path, Ok(Deed::RemoveEmpty)),
                Ok(false) => {}
                Err(error) => note(path, Err(error)),
            }
        }
    }
    swept
}

fn is_needed(holder: &Path, cluster: &Cluster) -> bool {
    let mut names = holder.iter().filter_map(|name| name.to_str());
    names.next().is_some_and(|namespace| cluster.has_name(namespace, names.next()))
}

fn act(claim: &Claim, session: &SessionPath, verdict: Verdict) -> Result<(), FolderError> {
    let root = &claim.root;
    match verdict {
        Verdict::Keep(_) => Ok(()),
        Verdict::RemoveParts => empty(claim, session, PARTS),
        Verdict::RemoveMedia => {
            empty(claim, session, PARTS)?;
            empty(claim, session, OUTPUT)
        }
        Verdict::Remove(_) => {
            let holder = root.folder(format!("{}/{}", session.namespace(), session.name()))?;
            take_away(&holder, &session.uid().to_string())
        }
    }
}

/// Removes a folder of a session, and makes it anew: the session stays one.
fn empty(claim: &Claim, session: &SessionPath, (half, name): (&str, &str)) -> Result<(), FolderError> {
    let half = claim.root.folder(format!("{session}/{half}"))?;
    take_away(&half, name)?;
    half.make_folder(name).map(drop)
}

impl From<Verdict> for Deed {
    fn from(verdict: Verdict) -> Deed {
        match verdict {
            Verdict::Keep(need) => Deed::Keep(need),
            Verdict::RemoveParts => Deed::RemoveParts,
            Verdict::RemoveMedia => Deed::RemoveMedia,
            Verdict::Remove(expired) => Deed::Remove(expired),
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let removed = match self.mode {
            Mode::Remove => "removed",
            Mode::DryRun => "would be removed",
        };
        match &self.deed {
            Deed::Keep(need) => write!(f, "kept: {need}"),
            Deed::RemoveParts => write!(f, "its parts {removed}: finished, and its file is there"),
            Deed::RemoveMedia => write!(f, "its parts and files {removed}: finished and delivered"),
            Deed::Remove(why) => write!(f, "{removed}: {why}"),
            Deed::RemoveRest => write!(f, "{removed}: the rest of an earlier removal"),
            Deed::RemoveEmpty => write!(f, "{removed}: empty"),
            Deed::Fail(why) => write!(f, "left as it is: {why}"),
        }
    }
}

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Swept { kept, lightened, removed, empty, failed, foreign } = self;
        write!(
            f,
            "{removed} removed, {lightened} without parts now, {kept} kept, {empty} empty folders removed, \
             {failed} failed, {foreign} left alone as no sessions"
        )
    }
}
