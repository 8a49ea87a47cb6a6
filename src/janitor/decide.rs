//! What becomes of a folder: a pure decision over what was found.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// How long what nothing needs any more is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The parts of a finished recording, after its end.
    pub parts: Duration,
    /// A finished recording whose Recording is gone, after its end.
    pub finished: Duration,
    /// An unfinished one whose Recording is gone, after its last sign of life.
    pub unfinished: Duration,
}

/// A session's folder, as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folder {
    pub life: Life,
    /// When its result was written, last.
    pub ended: Option<Timestamp>,
    /// When anything was written to a journal, or a file was made.
    pub last_sign: Timestamp,
    pub product: Product,
    pub has_parts: bool,
    pub has_output: bool,
}

/// Which half of a session has a run that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    None,
    Recorder,
    Publisher,
}

/// Where the finished file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// In the session's own folder, and nowhere else.
    Here,
    Elsewhere,
}

/// What the cluster knows of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// There is no Recording of this UID.
    Gone,
    Unfinished,
    Finished,
    /// It is finished, and its file is to be made once more.
    Republishing,
}

/// What becomes of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Keep(Need),
    /// The parts go.
    RemoveParts,
    /// The parts go, and the copy of the file that was delivered elsewhere.
    RemoveMedia,
    Remove(Expired),
}

/// Why a folder is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    RecorderLives,
    PublisherLives,
    PodRuns,
    NotFinished,
    Republishing,
    /// It ended too short a time ago.
    EndedLately,
    /// It gave a sign of life too short a time ago.
    LivedLately,
    /// Its Recording is there; nothing is left to remove but what tells of it.
    RecordingIsThere,
}

/// Why a folder goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    Finished,
    Unfinished,
}

/// Decides.
pub fn decide(folder: &Folder, known: Known, has_pod: bool, retention: &Retention, now: Timestamp) -> Verdict {
    if let Some(need) = in_use(folder.life, has_pod) {
        return Verdict::Keep(need);
    }
    match (known, folder.ended) {
        (Known::Unfinished, _) => Verdict::Keep(Need::NotFinished),
        (Known::Republishing, _) => Verdict::Keep(Need::Republishing),
        (Known::Finished, ended) => media(folder, ended.unwrap_or(folder.last_sign), retention, now),
        (Known::Gone, Some(ended)) if has_passed(ended, retention.finished, now) => Verdict::Remove(Expired::Finished),
        (Known::Gone, Some(_)) => Verdict::Keep(Need::EndedLately),
        (Known::Gone, None) if has_passed(folder.last_sign, retention.unfinished, now) => {
            Verdict::Remove(Expired::Unfinished)
        }
        (Known::Gone, None) => Verdict::Keep(Need::LivedLately),
    }
}

fn in_use(life: Life, has_pod: bool) -> Option<Need> {
    match life {
        Life::Recorder => Some(Need::RecorderLives),
        Life::Publisher => Some(Need::PublisherLives),
        Life::None => has_pod.then_some(Need::PodRuns),
    }
}

/// What of a finished recording goes whose Recording is there.
fn media(folder: &Folder, ended: Timestamp, retention: &Retention, now: Timestamp) -> Verdict {
    let (has_output, verdict) = match folder.product {
        Product::Here => (false, Verdict::RemoveParts),
        Product::Elsewhere => (folder.has_output, Verdict::RemoveMedia),
    };
    if !folder.has_parts && !has_output {
        Verdict::Keep(Need::RecordingIsThere)
    } else if has_passed(ended, retention.parts, now) {
        verdict
    } else {
        Verdict::Keep(Need::EndedLately)
    }
}

/// Whether `keep` has passed since `then`; a time to come has not.
fn has_passed(then: Timestamp, keep: Duration, now: Timestamp) -> bool {
    keep.is_zero() || Duration::try_from(now.duration_since(then)).is_ok_and(|age| age >= keep)
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Need::RecorderLives => "its recorder runs",
            Need::PublisherLives => "its publisher runs",
            Need::PodRuns => "a pod of it has not ended",
            Need::NotFinished => "its Recording is not finished",
            Need::Republishing => "its file is to be made once more",
            Need::EndedLately => "it has not ended long enough ago",
            Need::LivedLately => "its last sign of life is not long enough ago",
            Need::RecordingIsThere => "its Recording is there",
        })
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Expired::Finished => "finished, and its Recording is gone",
            Expired::Unfinished => "never finished, and its Recording is gone",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETENTION: Retention = Retention {
        parts: Duration::from_secs(100),
        finished: Duration::from_secs(1_000),
        unfinished: Duration::from_secs(10),
    };
    const NOTHING_KEPT: Retention =
        Retention { parts: Duration::ZERO, finished: Duration::ZERO, unfinished: Duration::ZERO };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Ended, or lived last, at second 0.
    fn folder(ended: bool) -> Folder {
        Folder {
            life: Life::None,
            ended: ended.then(|| at(0)),
            last_sign: at(0),
            product: Product::Here,
            has_parts: true,
            has_output: true,
        }
    }

    #[test]
    fn what_something_needs_is_kept_whatever_the_retention_says() {
        let decide = |folder: &Folder, known, has_pod| decide(folder, known, has_pod, &NOTHING_KEPT, at(1_000_000));
        for known in [Known::Gone, Known::Unfinished, Known::Finished, Known::Republishing] {
            for ended in [false, true] {
                let recorder = Folder { life: Life::Recorder, ..folder(ended) };
                let publisher = Folder { life: Life::Publisher, ..folder(ended) };
                assert_eq!(decide(&recorder, known, false), Verdict::Keep(Need::RecorderLives));
                assert_eq!(decide(&publisher, known, true), Verdict::Keep(Need::PublisherLives));
                assert_eq!(decide(&folder(ended), known, true), Verdict::Keep(Need::PodRuns));
            }
        }
        for ended in [false, true] {
            assert_eq!(decide(&folder(ended), Known::Unfinished, false), Verdict::Keep(Need::NotFinished));
            assert_eq!(decide(&folder(ended), Known::Republishing, false), Verdict::Keep(Need::Republishing));
        }
    }

    #[test]
    fn each_kind_of_folder_has_its_own_time() {
        use Expired::{Finished, Unfinished};
        use Need::{EndedLately, LivedLately, RecordingIsThere};
        let here = folder(true);
        let elsewhere = Folder { product: Product::Elsewhere, ..here };
        let bare = Folder { has_parts: false, ..here };
        let delivered = Folder { product: Product::Elsewhere, ..bare };
        let lost = folder(false);
        for (folder, known, second, verdict) in [
            (here, Known::Finished, 99, Verdict::Keep(EndedLately)),
            (here, Known::Finished, 100, Verdict::RemoveParts),
            (elsewhere, Known::Finished, 99, Verdict::Keep(EndedLately)),
            (elsewhere, Known::Finished, 100, Verdict::RemoveMedia),
            (bare, Known::Finished, 1_000_000, Verdict::Keep(RecordingIsThere)),
            (delivered, Known::Finished, 100, Verdict::RemoveMedia),
            (lost, Known::Finished, 100, Verdict::RemoveParts),
            (here, Known::Gone, 999, Verdict::Keep(EndedLately)),
            (here, Known::Gone, 1_000, Verdict::Remove(Finished)),
            (bare, Known::Gone, 1_000, Verdict::Remove(Finished)),
            (lost, Known::Gone, 9, Verdict::Keep(LivedLately)),
            (lost, Known::Gone, 10, Verdict::Remove(Unfinished)),
            // A clock that was set back.
            (lost, Known::Gone, -50, Verdict::Keep(LivedLately)),
        ] {
            let decided = decide(&folder, known, false, &RETENTION, at(second));
            assert_eq!(decided, verdict, "{folder:?} {known:?} at {second}");
        }
        assert_eq!(decide(&lost, Known::Gone, false, &NOTHING_KEPT, at(0)), Verdict::Remove(Unfinished));
        assert_eq!(decide(&here, Known::Gone, false, &NOTHING_KEPT, at(0)), Verdict::Remove(Finished));
    }
}
