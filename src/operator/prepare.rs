//! Third step: the changes to the cluster that a course asks for. Pure.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Resource, ResourceExt};

use super::build::{Kind, Order, Secrets, disruption_budget, job};
use super::course::Course;
use super::dereference::{Found, job_end};
use super::names::{self, FINALIZER};
use super::settings::Settings;
use super::token;
use super::validate::Valid;
use crate::resource::Recording;
use crate::session::fold::Phase;
use crate::session::intent::IntentState;

/// What is to be changed, in this order.
#[derive(Debug, Default)]
pub struct Prepared {
    pub finalizer: Option<Finalizer>,
    pub make_budget: Option<Box<PodDisruptionBudget>>,
    pub make_job: Option<Box<Job>>,
    /// By name.
    pub remove_budget: Option<String>,
    /// Jobs by name, with their pods.
    pub remove_jobs: Vec<String>,
    /// Jobs by name, with their pods, also those that live.
    pub end_jobs: Vec<String>,
    /// The recording itself.
    pub remove_recording: bool,
    /// A Job by name, and the seconds that it is kept once it has ended.
    pub expire_jobs: Vec<(String, u32)>,
}

/// A change of the recording's finalizers, as the whole list after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finalizer {
    Add(Vec<String>),
    Remove(Vec<String>),
}

/// The changes that `course` asks for.
pub fn prepare(
    recording: &Recording,
    uid: &str,
    valid: Option<&Valid>,
    course: &Course,
    found: &Found,
    settings: &Settings,
) -> Prepared {
    let mut prepared = Prepared::default();
    match course {
        Course::Record => make(&mut prepared, recording, uid, valid, Kind::Record, settings),
        Course::Finish => make(&mut prepared, recording, uid, valid, Kind::Finish, settings),
        Course::Republish(value) => make(&mut prepared, recording, uid, valid, Kind::Republish(value), settings),
        Course::Replace { job } => prepared.remove_jobs.push(job.clone()),
        Course::Leave => {
            if super::course::is_discarded(recording) {
                prepared.remove_jobs = found.jobs.keys().cloned().collect();
            }
            prepared.finalizer = without_finalizer(recording);
        }
        Course::Abandon(_) => prepared.end_jobs = unfinished_jobs(found),
        // Where nothing is missing its Job has ended.
        Course::Republished { .. } if found.missing.is_some() => prepared.end_jobs = unfinished_jobs(found),
        Course::Expire => prepared.remove_recording = true,
        Course::Rest => {
            prepared.expire_jobs = found
                .jobs
                .iter()
                .filter(|(_, job)| job.spec.as_ref().is_some_and(|spec| spec.ttl_seconds_after_finished.is_none()))
                .map(|(name, _)| (name.clone(), settings.job_ttl_seconds))
                .collect();
        }
        Course::Queue { .. }
        | Course::Undecided
        | Course::Follow
        | Course::GiveUp
        | Course::Conclude(_)
        | Course::Republished { .. } => {}
    }
    if !must_not_be_drained(recording, valid, course) {
        prepared.make_budget = None;
        prepared.remove_budget = found.budget.as_ref().map(|budget| budget.name_any());
    }
    prepared
}

fn unfinished_jobs(found: &Found) -> Vec<String> {
    found.jobs.iter().filter(|(_, job)| job_end(job).is_none()).map(|(name, _)| name.clone()).collect()
}

/// A budget stands in the way of a drain while pages are recorded, and no longer.
fn must_not_be_drained(recording: &Recording, valid: Option<&Valid>, course: &Course) -> bool {
    let phase = recording.status.as_ref().map_or(Phase::Normal, |status| status.phase);
    let stops = valid.is_some_and(|valid| valid.wanted.intent.state == IntentState::Stopped);
    course.runs() && !stops && phase.rank() < Phase::Canceled.rank()
}

fn make(
    prepared: &mut Prepared,
    recording: &Recording,
    uid: &str,
    valid: Option<&Valid>,
    kind: Kind<'_>,
    settings: &Settings,
) {
    let (Some(valid), Some(owner)) = (valid, recording.controller_owner_ref(&())) else { return };
    let asked = &valid.asked;
    let (namespace, name) = (recording.namespace().unwrap_or_default(), recording.name_any());
    let digest = token::digest(&settings.token_key.token(uid));
    let order = Order {
        namespace: &namespace,
        name: &name,
        uid,
        owner,
        generation: valid.wanted.generation,
        request: &asked.request,
        delivery: &asked.delivery,
        intent: &valid.wanted.intent,
        secrets: Secrets {
            login: asked.login_secret.as_deref(),
            hls_key: asked.hls_key_secret.as_deref(),
            hls_key_text: asked.hls_key.as_deref(),
            s3: asked.s3_secret.as_deref(),
            vod: asked.vod_secret.as_deref(),
            intermediate: asked.intermediate_secret.as_deref(),
            callback: asked.callback_secret.as_deref(),
        },
        kind,
        token_digest: &digest,
        queue_name: recording.labels().get(names::QUEUE_NAME).map(String::as_str),
        settings: &settings.pod,
    };
    prepared.make_job = Some(Box::new(job(&order)));
    if kind == Kind::Record {
        prepared.make_budget = Some(Box::new(disruption_budget(&order)));
        prepared.finalizer = with_finalizer(recording);
    }
}

fn with_finalizer(recording: &Recording) -> Option<Finalizer> {
    let before = recording.finalizers();
    if before.iter().any(|name| name == FINALIZER) || recording.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let after = before.iter().cloned().chain([FINALIZER.to_owned()]).collect();
    Some(Finalizer::Add(after))
}

fn without_finalizer(recording: &Recording) -> Option<Finalizer> {
    let before = recording.finalizers();
    let after: Vec<String> = before.iter().filter(|name| *name != FINALIZER).cloned().collect();
    (after.len() < before.len()).then_some(Finalizer::Remove(after))
}
