//! What is to happen with a recording now: a pure decision over what was found.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

use super::admission::{Full, Verdict};
use super::build::FINISH;
use super::dereference::{Found, Harvest, JobEnd, job_end};
use super::mounts::Missing;
use super::names;
use crate::resource::Recording;
use crate::session::fold::Phase;

/// What is to happen.
#[derive(Debug, Clone)]
pub enum Course {
    /// It waits for its turn.
    Queue { place: usize, why: Full },
    /// Its turn has not been decided yet.
    Undecided,
    /// Its Job is to be made, for the first time or again.
    Record,
    /// A Job lives; its pod is followed.
    Follow,
    /// The Job will lead to nothing more: it is taken away, and made anew.
    Replace { job: String },
    /// Its pods failed too often: what there is, is to be finished without Chrome.
    Finish,
    /// Even that failed.
    GiveUp,
    /// Its pod waited for a Secret in vain: it ends with what there is.
    Abandon(Missing),
    /// A pod that has ended left the result.
    Conclude(Box<Harvest>),
    /// The file is to be made once more.
    Republish(String),
    /// It was made once more, or could not be.
    Republished { value: String, harvest: Option<Box<Harvest>> },
    /// It is over, and nothing is to be done.
    Rest,
    /// It is over for as long as it was to be kept.
    Expire,
    /// It is deleted, and nothing keeps it.
    Leave,
}

impl Course {
    /// Whether the recording's Job is there, or on its way.
    pub fn runs(&self) -> bool {
        match self {
            Course::Record | Course::Follow | Course::Replace { .. } => true,
            Course::Queue { .. }
            | Course::Undecided
            | Course::Finish
            | Course::GiveUp
            | Course::Abandon(_)
            | Course::Conclude(_)
            | Course::Republish(_)
            | Course::Republished { .. }
            | Course::Rest
            | Course::Expire
            | Course::Leave => false,
        }
    }
}

/// What else the decision needs.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub time: Timestamp,
    /// How long a deleted recording may take to finish.
    pub delete: Duration,
    /// Whether a Job whose pod is gone may be replaced at once.
    pub may_replace: bool,
}

/// Decides.
pub fn course(recording: &Recording, uid: &str, found: &Found, now: Now) -> Course {
    let name = recording.name_any();
    let phase = recording.status.as_ref().map_or(Phase::Normal, |status| status.phase);
    let record = names::job(&name, uid);
    let finish = names::publish_job(&name, uid, FINISH);
    let (record_job, finish_job) = (found.jobs.get(&record), found.jobs.get(&finish));
    if let Some(deleted) = &recording.metadata.deletion_timestamp {
        let began = has_begun(recording) || record_job.is_some() || finish_job.is_some();
        let waited = now.time.duration_since(deleted.0);
        let late = waited.unsigned_abs() >= now.delete && waited.is_positive();
        if is_discarded(recording) || phase == Phase::Finished || !began || late {
            return Course::Leave;
        }
    }
    if phase == Phase::Finished {
        return match expires(recording) {
            Some(at) if at <= now.time => Course::Expire,
            _ => after_the_end(recording, uid, found),
        };
    }
    // What the stream has told is seen step by step, and lists more than a pod's last words do.
    if found.standing.more || found.standing.known.as_ref().is_some_and(|known| known.status.phase == Phase::Finished) {
        return Course::Follow;
    }
    if let Some(harvest) = found.harvest(&record).or_else(|| found.harvest(&finish)) {
        return Course::Conclude(Box::new(harvest));
    }
    if let Some(missing) = &found.missing {
        return Course::Abandon(missing.clone());
    }
    if let Some(job) = finish_job {
        return match job_end(job) {
            None => Course::Follow,
            Some(JobEnd::Complete) => Course::Replace { job: finish },
            Some(JobEnd::Failed | JobEnd::TriedTooOften) => Course::GiveUp,
        };
    }
    match record_job {
        None if has_begun(recording) => Course::Record,
        None => match found.verdict {
            None => Course::Undecided,
            Some(Verdict::Admitted) => Course::Record,
            Some(Verdict::Queued { place, why }) => Course::Queue { place, why },
        },
        Some(job) => match job_end(job) {
            Some(JobEnd::TriedTooOften) => Course::Finish,
            // It ended, and its result is nowhere: a new pod finds the finished folder.
            Some(JobEnd::Complete | JobEnd::Failed) => Course::Replace { job: record },
            None if now.may_replace && has_lost_its_pod(recording, job, found) => Course::Replace { job: record },
            None => Course::Follow,
        },
    }
}

fn after_the_end(recording: &Recording, uid: &str, found: &Found) -> Course {
    let Some(value) = recording.annotations().get(names::REPUBLISH) else { return Course::Rest };
    let done = recording.status.as_ref().and_then(|status| status.republished.as_ref());
    if done == Some(value) {
        return Course::Rest;
    }
    let again = names::publish_job(&recording.name_any(), uid, &format!("again/{value}"));
    match found.jobs.get(&again) {
        None => Course::Republish(value.clone()),
        Some(job) => match (found.harvest(&again), job_end(job)) {
            (Some(harvest), _) => Course::Republished { value: value.clone(), harvest: Some(Box::new(harvest)) },
            (None, Some(JobEnd::Complete)) => Course::Replace { job: again },
            (None, Some(_)) => Course::Republished { value: value.clone(), harvest: None },
            (None, None) if found.missing.is_some() => Course::Republished { value: value.clone(), harvest: None },
            (None, None) => Course::Rest,
        },
    }
}

/// When a finished recording goes by itself.
pub fn expires(recording: &Recording) -> Option<Timestamp> {
    let finished = recording.status.as_ref()?.finish_time?;
    let seconds = recording.spec.ttl_seconds_after_finished?;
    finished.saturating_add(Duration::from_secs(seconds.into())).ok()
}

/// Whether a pod of the recording has ever been on its way: it does not queue again.
pub fn has_begun(recording: &Recording) -> bool {
    let Some(status) = &recording.status else { return false };
    let has_pod = status.recorder.as_ref().is_some_and(|recorder| recorder.pod_name.is_some());
    has_pod || status.phase != Phase::Normal
}

/// Whether a deleted recording is to be thrown away.
pub fn is_discarded(recording: &Recording) -> bool {
    recording.annotations().get(names::DISCARD).is_some_and(|value| value == "true")
}

/// Whether the Job's pod is gone and no other is there: the Job's own controller would wait for
/// 10 s, then 20 s … before it makes another one, and the page goes on meanwhile.
fn has_lost_its_pod(recording: &Recording, job: &Job, found: &Found) -> bool {
    let active = job.status.as_ref().and_then(|status| status.active).unwrap_or(0);
    let suspended = job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false);
    has_begun(recording) && active == 0 && !suspended && found.live_pod().is_none()
}
