//! A look at one recording: the five steps, one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Client, Resource, ResourceExt};

use super::apply::{Applied, ApplyError, Obstacle, apply};
use super::course::{Course, Now, course, expires};
use super::dereference::{Caches, Found, pod_times};
use super::malformed;
use super::metrics::{Metrics, Outcome, ReasonLabel, StageLabel};
use super::mounts::{self, Missing};
use super::prepare::prepare;
use super::queue::Queue;
use super::reference;
use super::settings::Settings;
use super::status::{Facts, status};
use super::streams::{PASSING, Streams};
use super::update_status::{CALM, Written, write};
use super::validate::{Valid, validate};
use crate::resource::conditions::ConditionType;
use crate::resource::{Recording, RecordingStatus, Rejection};
use crate::session::fold::Phase;

/// Everything is looked at again after this long, in case that something was missed.
const RECOVERY: Duration = Duration::from_secs(300);
/// How soon what stands in the way of a Job is looked at again: a missing claim, a full quota.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// The shortest and the longest pause after a failed look.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// How soon after a replacement of its Job a recording may have another one: longer each time.
const REPLACE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// Why a look failed; it is repeated.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error("cannot write the status: {0}")]
    Status(kube::Error),
}

impl ReconcileError {
    /// The word for metrics.
    fn word(&self) -> &'static str {
        match self {
            ReconcileError::Apply(ApplyError::Kube { .. }) => "Apply",
            ReconcileError::Apply(ApplyError::Foreign { .. }) => "Foreign",
            ReconcileError::Status(_) => "Status",
        }
    }

    /// Somebody else changed the object: what is seen next is newer.
    fn is_conflict(&self) -> bool {
        let (ReconcileError::Apply(ApplyError::Kube { source, .. }) | ReconcileError::Status(source)) = self else {
            return false;
        };
        matches!(source, kube::Error::Api(status) if status.code == 409)
    }
}

/// What every look needs.
pub struct Context {
    client: Client,
    settings: Settings,
    caches: Caches,
    streams: Arc<Streams>,
    queue: Arc<Queue>,
    events: Recorder,
    metrics: Metrics,
    /// What is remembered of a recording between looks; nothing is lost with it.
    memory: Mutex<HashMap<String, Memory>>,
}

#[derive(Default)]
struct Memory {
    /// The status as it was written last: the cache may be behind.
    written: Option<(Option<String>, RecordingStatus)>,
    /// When that was.
    wrote: Option<Instant>,
    failures: u32,
    replacements: u32,
    replaced: Option<Instant>,
}

impl Context {
    pub fn new(
        client: Client,
        settings: Settings,
        caches: Caches,
        streams: Arc<Streams>,
        queue: Arc<Queue>,
        events: Recorder,
        metrics: Metrics,
    ) -> Context {
        Context { client, settings, caches, streams, queue, events, metrics, memory: Mutex::default() }
    }

    fn remember<R>(&self, uid: &str, change: impl FnOnce(&mut Memory) -> R) -> R {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        change(memory.entry(uid.to_owned()).or_default())
    }

    /// Forgets what is not among the living.
    pub fn retain(&self, lives: impl Fn(&str) -> bool) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| lives(uid));
        self.streams.retain(lives);
    }

    fn forget(&self, uid: &str) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        self.streams.forget(uid);
    }
}

/// Looks at a recording, and does the next thing.
pub async fn reconcile(
    recording: Arc<DeserializeGuard<Recording>>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let began = Instant::now();
    let result = match &recording.0 {
        Ok(recording) => look(recording, &context).await,
        Err(invalid) => {
            // Only its own writer can mend it.
            tracing::warn!(recording = recording.name_any(), error = invalid.error, "malformed");
            let namespace = recording.namespace().unwrap_or_default();
            let told = malformed::tell(&context.client, &context.events, &namespace, invalid).await;
            told.map(|()| Action::await_change()).map_err(ReconcileError::Status)
        }
    };
    context.metrics.reconcile_seconds.observe(began.elapsed().as_secs_f64());
    let error = result.as_ref().err().map_or("", ReconcileError::word).to_owned();
    context.metrics.reconciles.get_or_create(&Outcome { error }).inc();
    result
}

/// What follows a failed look: a pause that grows, each recording by itself.
pub fn failed(recording: Arc<DeserializeGuard<Recording>>, error: &ReconcileError, context: Arc<Context>) -> Action {
    if error.is_conflict() {
        return Action::requeue(BACKOFF.0);
    }
    let uid = recording.uid().unwrap_or_default();
    let failures = context.remember(&uid, |memory| {
        memory.failures = memory.failures.saturating_add(1);
        memory.failures
    });
    tracing::warn!(recording = recording.name_any(), failures, %error, "looking at it failed");
    Action::requeue(doubled(BACKOFF, failures - 1))
}

fn doubled((first, longest): (Duration, Duration), times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(longest)
}

async fn look(recording: &Recording, context: &Context) -> Result<Action, ReconcileError> {
    let Some(uid) = recording.uid() else { return Ok(Action::await_change()) };
    let recording = &with_newest_status(recording, &uid, context);
    let installation = &context.settings.installation;
    // What was accepted goes on, also under rules that have become narrower since.
    let valid = match is_accepted(recording) {
        true => validate(recording, &uid, &installation.with_any_bucket()),
        false => validate(recording, &uid, installation),
    };
    let one = One { recording, uid: &uid, valid: valid.as_ref(), context };
    let action = one.steps().await?;
    context.remember(&uid, |memory| memory.failures = 0);
    Ok(action)
}

fn is_accepted(recording: &Recording) -> bool {
    let mut conditions = recording.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|condition| condition.type_ == ConditionType::Accepted.as_str() && condition.status == "True")
}

/// The recording with the status that was written last, where the cache does not have it yet.
fn with_newest_status(recording: &Recording, uid: &str, context: &Context) -> Recording {
    let version = recording.resource_version();
    let mut recording = recording.clone();
    context.remember(uid, |memory| match &memory.written {
        Some((before, status)) if *before == version => recording.status = Some(status.clone()),
        _ => memory.written = None,
    });
    recording
}

struct One<'a> {
    recording: &'a Recording,
    uid: &'a str,
    valid: Result<&'a Valid, &'a Rejection>,
    context: &'a Context,
}

impl One<'_> {
    async fn steps(&self) -> Result<Action, ReconcileError> {
        let Context { client, settings, queue, .. } = self.context;
        let now = Timestamp::now();
        let mut found = self.find();
        found.missing = self.missing(&found, now).await;
        let look = found.live_pod().and_then(|pod| mounts::look_after(pod, now));
        let next = Now { time: now, delete: settings.delete, may_replace: self.may_replace() };
        let mut course = match self.valid {
            Err(_) if self.recording.metadata.deletion_timestamp.is_some() => Course::Leave,
            Err(_) => Course::Rest,
            Ok(_) => course(self.recording, self.uid, &found, next),
        };
        tracing::debug!(recording = self.recording.name_any(), ?course, "looks at it");
        let prepared = prepare(self.recording, self.uid, self.valid.ok(), &course, &found, settings);
        let applied = apply(client, self.recording, self.uid, &settings.pod.claim, prepared).await?;
        let hopeless = matches!(applied.obstacle, Some(Obstacle::NamespaceEnds | Obstacle::ClaimMissing(_)));
        if hopeless && self.recording.metadata.deletion_timestamp.is_some() {
            // What was recorded stays on the volume; here nothing can finish it any more.
            course = Course::Leave;
            let prepared = prepare(self.recording, self.uid, None, &course, &found, settings);
            apply(client, self.recording, self.uid, &settings.pod.claim, prepared).await?;
        }
        if let Course::Rest | Course::Expire = course {
            // Only now the cache shows that it is over.
            queue.look_again();
        }
        if let Course::Leave = course {
            self.context.forget(self.uid);
            queue.look_again();
            return Ok(Action::await_change());
        }
        if applied.jobs_removed {
            self.context.remember(self.uid, |memory| {
                memory.replacements = memory.replacements.saturating_add(1);
                memory.replaced = Some(Instant::now());
            });
        }
        self.follow(&found, &course);
        let later = self.write(found, &course, &applied, now).await.map_err(ReconcileError::Status)?;
        let pause = later.unwrap_or_else(|| self.next(&course, &applied));
        Ok(Action::requeue(look.map_or(pause, |look| look.min(pause))))
    }

    fn find(&self) -> Found {
        let Context { caches, streams, queue, .. } = self.context;
        let mut found = Found::of(self.recording, self.uid, caches, streams);
        if found.jobs.is_empty() && self.valid.is_ok() && self.recording.metadata.deletion_timestamp.is_none() {
            found.verdict = queue.verdict(self.uid);
        }
        found
    }

    /// What its pod has waited for in vain: asked for only where it waits for too long.
    async fn missing(&self, found: &Found, now: Timestamp) -> Option<Missing> {
        let pod = found.live_pod().filter(|pod| mounts::is_due(pod, now))?;
        match mounts::failures(&self.context.client, pod).await {
            Ok(failures) => mounts::missing(pod, &failures),
            Err(error) => {
                tracing::warn!(pod = pod.name_any(), %error, "cannot list its events, to see what it waits for");
                None
            }
        }
    }

    /// Whether a Job whose pod is gone may be replaced now.
    fn may_replace(&self) -> bool {
        self.context.remember(self.uid, |memory| {
            memory.replaced.is_none_or(|at| at.elapsed() >= doubled(REPLACE, memory.replacements.saturating_sub(1)))
        })
    }

    /// Listens to the publisher there is, and tells it what is wanted.
    fn follow(&self, found: &Found, course: &Course) {
        let Ok(valid) = self.valid else { return };
        if course.runs() || matches!(course, Course::Finish) {
            let reference = reference(self.recording);
            self.context.streams.follow(&reference, self.uid, found.target(), self.wanted(valid, found));
        }
    }

    /// A pod that only finishes is told to, whatever the recording was wanted to do.
    fn wanted(&self, valid: &Valid, found: &Found) -> crate::session::stream::ToldIntent {
        let mut wanted = valid.wanted.clone();
        let publishes = found.live_pod().is_some_and(|pod| {
            pod.labels().get(super::names::ROLE).is_some_and(|role| role == super::names::Role::Publish.as_str())
        });
        if publishes {
            wanted.intent.state = crate::session::intent::IntentState::Stopped;
        }
        wanted
    }

    /// Writes the status, once for each state that must be seen. When to look again, if something was left
    /// for later.
    async fn write(
        &self,
        mut found: Found,
        course: &Course,
        applied: &Applied,
        now: Timestamp,
    ) -> Result<Option<Duration>, kube::Error> {
        let Context { client, streams, queue, metrics, .. } = self.context;
        let mut before = self.recording.status.clone().unwrap_or_default();
        loop {
            let facts = Facts {
                recording: self.recording,
                before: &before,
                valid: self.valid,
                course,
                found: &found,
                applied,
                tell_place: matches!(course, Course::Queue { .. }) && queue.may_tell_place(self.uid),
                now,
            };
            let after = status(&facts);
            if found.standing.passing && after.phase != before.phase {
                return Ok(Some(PASSING));
            }
            let last = self.context.remember(self.uid, |memory| memory.wrote);
            let written = write(client, self.recording, &before, after, last).await?;
            if let Written::Later = written {
                return Ok(Some(CALM));
            }
            if let Written::Changed(after) = written {
                metrics.status_writes.inc();
                tracing::info!(
                    recording = self.recording.name_any(),
                    namespace = self.recording.namespace().unwrap_or_default(),
                    run = after.recorder.as_ref().map_or(0, |recorder| recorder.runs),
                    phase = after.phase.as_str(),
                    why = after.message.as_deref().unwrap_or_default(),
                    "status written"
                );
                self.context.remember(self.uid, |memory| {
                    memory.written = Some((self.recording.resource_version(), (*after).clone()));
                    memory.wrote = Some(Instant::now());
                });
                self.tell(&before, &after, &found).await;
                before = *after;
            }
            if before.phase == Phase::Finished {
                streams.forget(self.uid);
                return Ok(None);
            }
            if !found.standing.more {
                return Ok(None);
            }
            found.standing = streams.standing(self.uid, before.phase);
        }
    }

    /// What changed is counted, and told as an event where people should know.
    async fn tell(&self, before: &RecordingStatus, after: &RecordingStatus, found: &Found) {
        if before.start_time.is_none() && after.start_time.is_some() {
            self.measure_start(after, found);
        }
        let reason_of = |status: &RecordingStatus, kind: ConditionType| {
            let condition = status.conditions.iter().find(|condition| condition.type_ == kind.as_str())?;
            Some((condition.status.clone(), condition.reason.clone()))
        };
        let (kind, was) = (ConditionType::Succeeded, reason_of(before, ConditionType::Succeeded));
        let Some((truth, reason)) = reason_of(after, kind) else { return };
        let over = truth != "Unknown";
        if !over || was.is_some_and(|(was, _)| was == truth) {
            return;
        }
        self.context.metrics.ended.get_or_create(&ReasonLabel { reason: reason.clone() }).inc();
        let event = Event {
            type_: if truth == "True" { EventType::Normal } else { EventType::Warning },
            reason,
            note: after.message.clone(),
            action: "Record".into(),
            secondary: None,
        };
        if let Err(error) = self.context.events.publish(&event, &self.recording.object_ref(&())).await {
            tracing::warn!(%error, "cannot publish an event");
        }
    }

    fn measure_start(&self, status: &RecordingStatus, found: &Found) {
        let (Some(created), Some(pod)) = (self.recording.creation_timestamp(), found.live_pod()) else { return };
        let times = pod_times(pod);
        let stages = [
            ("pod_made", times.created),
            ("scheduled", times.scheduled),
            ("containers_started", times.started),
            ("first_frame", status.start_time),
        ];
        for (stage, at) in stages {
            let Some(at) = at else { continue };
            let seconds = at.duration_since(created.0).as_secs_f64().max(0.0);
            self.context.metrics.start_seconds.get_or_create(&StageLabel { stage }).observe(seconds);
        }
    }

    /// When to look again, if nothing happens before.
    fn next(&self, course: &Course, applied: &Applied) -> Duration {
        if applied.obstacle.is_some() {
            return LOOK_AGAIN;
        }
        match course {
            Course::Undecided => Duration::from_secs(1),
            Course::Replace { .. } => BACKOFF.0,
            Course::Follow if self.recording.metadata.deletion_timestamp.is_some() => LOOK_AGAIN,
            Course::Follow if !self.may_replace() => REPLACE.0,
            Course::Rest => match expires(self.recording) {
                Some(at) => at.duration_since(Timestamp::now()).unsigned_abs().min(RECOVERY),
                None => RECOVERY,
            },
            _ => RECOVERY,
        }
    }
}
