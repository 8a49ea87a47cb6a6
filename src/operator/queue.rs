//! Admission as a task: one place that knows who runs, who waits, and who has just been let in.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior};

use super::RecordingRef;
use super::admission::{Candidate, SHOWN, Stand, Verdict, decide};
use super::course::has_begun;
use super::dereference::job_end;
use super::names;
use super::settings::Limits;
use crate::resource::Recording;
use crate::session::fold::Phase;

/// How often places in the queue are told at most.
const TELL_PLACES: Duration = Duration::from_secs(10);
/// How long one that was let in may take until its Job is seen; then it is asked again.
const RESERVED: Duration = Duration::from_secs(60);

/// The cache of recordings.
pub type Recordings = Store<DeserializeGuard<Recording>>;

/// Who may record.
pub struct Queue {
    recordings: Recordings,
    jobs: Store<Job>,
    limits: Limits,
    /// Let in, with no Job in the cache yet.
    reserved: Mutex<HashMap<String, Instant>>,
    /// When the place of a recording was told last.
    told: Mutex<HashMap<String, Instant>>,
    changed: Notify,
}

impl Queue {
    pub fn new(recordings: Recordings, jobs: Store<Job>, limits: Limits) -> Queue {
        Queue { recordings, jobs, limits, reserved: Mutex::default(), told: Mutex::default(), changed: Notify::new() }
    }

    /// What holds for this recording now. One that is admitted holds its place from here on.
    pub fn verdict(&self, uid: &str) -> Option<Verdict> {
        if self.limits == Limits::default() {
            return Some(Verdict::Admitted);
        }
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = self.verdicts(&reserved).remove(uid);
        if verdict == Some(Verdict::Admitted) {
            reserved.insert(uid.to_owned(), Instant::now());
        }
        // It holds a place already: by its Job, or as it was let in.
        verdict.or(Some(Verdict::Admitted))
    }

    /// Whether the place in the queue may be told now; it is then taken as told.
    pub fn may_tell_place(&self, uid: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let may = told.get(uid).is_none_or(|at| at.elapsed() >= TELL_PLACES - Duration::from_secs(1));
        if may {
            told.insert(uid.to_owned(), Instant::now());
        }
        may
    }

    /// A place may have become free.
    pub fn look_again(&self) {
        self.changed.notify_one();
    }

    /// How many wait.
    pub fn length(&self) -> usize {
        let reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let verdicts = self.verdicts(&reserved);
        verdicts.values().filter(|verdict| matches!(verdict, Verdict::Queued { .. })).count()
    }

    /// Wakes those whose turn it is, and tells the first ones their places now and then.
    pub async fn run(&self, wake: mpsc::UnboundedSender<RecordingRef>) {
        if self.limits == Limits::default() {
            return;
        }
        let mut tell = tokio::time::interval(TELL_PLACES);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let telling = tokio::select! {
                () = self.changed.notified() => false,
                _ = tell.tick() => true,
            };
            let verdicts = {
                let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
                let jobs = self.live_jobs();
                reserved.retain(|uid, since| since.elapsed() < RESERVED && !jobs.contains_key(uid));
                self.verdicts(&reserved)
            };
            self.told.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| verdicts.contains_key(uid));
            for recording in self.recordings.state() {
                let Ok(recording) = &recording.0 else { continue };
                let Some(verdict) = recording.metadata.uid.as_ref().and_then(|uid| verdicts.get(uid)) else { continue };
                let concerned = match verdict {
                    Verdict::Admitted => true,
                    Verdict::Queued { place, .. } => telling && *place <= SHOWN,
                };
                if concerned {
                    let _ = wake.send(super::reference(recording));
                }
            }
        }
    }

    fn verdicts(&self, reserved: &HashMap<String, Instant>) -> BTreeMap<String, Verdict> {
        let jobs = self.live_jobs();
        let candidates: Vec<Candidate> = self
            .recordings
            .state()
            .iter()
            .filter_map(|recording| candidate(recording.0.as_ref().ok()?, &jobs, reserved))
            .collect();
        decide(&candidates, self.limits)
    }

    /// UIDs of recordings that have a Job which has not ended.
    fn live_jobs(&self) -> HashMap<String, ()> {
        let jobs = self.jobs.state();
        let live = jobs.iter().filter(|job| job_end(job).is_none());
        live.filter_map(|job| Some((job.labels().get(names::UID)?.clone(), ()))).collect()
    }
}

/// A recording as admission sees it; None: it neither runs nor waits.
fn candidate(
    recording: &Recording,
    jobs: &HashMap<String, ()>,
    reserved: &HashMap<String, Instant>,
) -> Option<Candidate> {
    let uid = recording.metadata.uid.clone()?;
    let finished = recording.status.as_ref().is_some_and(|status| status.phase == Phase::Finished);
    let has_job = jobs.contains_key(&uid);
    // Kueue admits its own; they count as soon as they run.
    let by_kueue = recording.labels().contains_key(names::QUEUE_NAME);
    let rejected = recording.status.as_ref().is_some_and(|status| {
        status.conditions.iter().any(|condition| condition.type_ == "Accepted" && condition.status == "False")
    });
    let leaves = recording.metadata.deletion_timestamp.is_some();
    let holds = !finished && (has_job || reserved.contains_key(&uid) || has_begun(recording));
    let waits = !finished && !holds && !by_kueue && !rejected && !leaves;
    if !holds && !waits {
        return None;
    }
    Some(Candidate {
        namespace: recording.namespace()?,
        created: recording.creation_timestamp().map_or(Timestamp::MAX, |time| time.0),
        stand: if holds { Stand::Holds } else { Stand::Waits },
        uid,
    })
}
