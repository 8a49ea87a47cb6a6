//! First step: everything that is known of a recording, put together from the caches and its stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::runtime::reflector::Store;

use super::admission::Verdict;
use super::mounts::Missing;
use super::names;
use super::reach::Target;
use super::streams::{Standing, Streams};
use crate::resource::Recording;
use crate::session::exit::ExitCode;
use crate::session::fold::Phase;
use crate::session::status::Report;

/// The caches of what the operator watches.
#[derive(Clone)]
pub struct Caches {
    pub jobs: Store<Job>,
    pub pods: Store<Pod>,
    pub budgets: Store<PodDisruptionBudget>,
}

/// What is there of a recording.
pub struct Found {
    /// Its Jobs by name, oldest names and all.
    pub jobs: BTreeMap<String, Arc<Job>>,
    /// Its pods, the newest last.
    pub pods: Vec<Arc<Pod>>,
    pub budget: Option<Arc<PodDisruptionBudget>>,
    pub standing: Standing,
    /// Its turn, for one that has no Job yet.
    pub verdict: Option<Verdict>,
    /// What its pod has waited for in vain.
    pub missing: Option<Missing>,
}

impl Found {
    /// Looks up what belongs to the recording.
    pub fn of(recording: &Recording, uid: &str, caches: &Caches, streams: &Streams) -> Found {
        let namespace = recording.namespace();
        let ours = |labels: &BTreeMap<String, String>, other: Option<String>| {
            labels.get(names::UID).is_some_and(|label| label == uid) && other == namespace
        };
        let jobs = caches.jobs.state_filter(|job| ours(job.labels(), job.namespace()));
        let mut pods = caches.pods.state_filter(|pod| ours(pod.labels(), pod.namespace()));
        pods.sort_by_key(|pod| pod.creation_timestamp().map(|time| time.0));
        let budgets = caches.budgets.state_filter(|budget| ours(budget.labels(), budget.namespace()));
        let written = recording.status.as_ref().map_or(Phase::Normal, |status| status.phase);
        Found {
            jobs: jobs.into_iter().map(|job| (job.name_any(), job)).collect(),
            pods,
            budget: budgets.into_iter().next(),
            standing: streams.standing(uid, written),
            verdict: None,
            missing: None,
        }
    }

    /// The newest pod that has not come to its end.
    pub fn live_pod(&self) -> Option<&Arc<Pod>> {
        self.pods.iter().rev().find(|pod| !is_over(pod))
    }

    /// The publisher to follow, once its container runs.
    pub fn target(&self) -> Option<Target> {
        let pod = self.live_pod()?;
        let status = pod.status.as_ref()?;
        let address = status.pod_ip.as_ref()?.parse().ok()?;
        let publisher = status.init_container_statuses.iter().flatten().find(|status| status.name == "publisher")?;
        publisher.state.as_ref()?.running.as_ref()?;
        Some(Target { namespace: pod.namespace()?, pod: pod.name_any(), pod_uid: pod.uid()?, address })
    }

    /// The newest result that an ended pod of this Job left in its termination message.
    pub fn harvest(&self, job: &str) -> Option<Harvest> {
        self.pods.iter().rev().filter(|pod| belongs_to(pod, job)).find_map(|pod| {
            let ended = awaited(pod)?;
            let report: Report = serde_json::from_str(ended.message.as_deref()?).ok()?;
            let code = ExitCode::of_process(ended.exit_code);
            (report.status.phase == Phase::Finished).then_some(Harvest { report, code })
        })
    }
}

/// What an ended pod left.
#[derive(Debug, Clone, PartialEq)]
pub struct Harvest {
    pub report: Report,
    pub code: ExitCode,
}

/// How a Job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    Complete,
    /// As its rules about exit codes say, or in another way.
    Failed,
    /// Its pods failed too often.
    TriedTooOften,
}

/// How the Job ended; None: it has not.
pub fn job_end(job: &Job) -> Option<JobEnd> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().filter(|condition| condition.status == "True").find_map(|condition| {
        match (condition.type_.as_str(), condition.reason.as_deref()) {
            ("Complete", _) => Some(JobEnd::Complete),
            ("Failed", Some("BackoffLimitExceeded")) => Some(JobEnd::TriedTooOften),
            ("Failed", _) => Some(JobEnd::Failed),
            _ => None,
        }
    })
}

/// Whether a pod will do nothing any more.
pub fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Whether the pod is of this Job.
pub fn belongs_to(pod: &Pod, job: &str) -> bool {
    pod.owner_references().iter().any(|owner| owner.kind == "Job" && owner.name == job)
}

/// How the pod's main container ended.
pub fn awaited(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.first()?.state.as_ref()?.terminated.as_ref()
}

/// What keeps a pod from running, as a person can understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    Unschedulable(String),
    Image(String),
    /// A volume, a Secret, a seccomp profile, the runtime.
    Container(String),
}

/// What keeps this pod from running; None: nothing that is known of.
pub fn obstacle(pod: &Pod) -> Option<Obstacle> {
    let status = pod.status.as_ref()?;
    let unschedulable =
        status.conditions.iter().flatten().find(|condition| {
            condition.type_ == "PodScheduled" && condition.reason.as_deref() == Some("Unschedulable")
        });
    if let Some(condition) = unschedulable {
        return Some(Obstacle::Unschedulable(condition.message.clone().unwrap_or_default()));
    }
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    containers
        .filter_map(|container| {
            let waiting = container.state.as_ref()?.waiting.as_ref()?;
            let message = || format!("{}: {}", container.name, waiting.message.clone().unwrap_or_default());
            match waiting.reason.as_deref()? {
                "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
                    Some(Obstacle::Image(message()))
                }
                "CreateContainerError" | "CreateContainerConfigError" | "RunContainerError" => {
                    Some(Obstacle::Container(message()))
                }
                _ => None,
            }
        })
        .next()
}

/// When the pod reached the stages before its first frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PodTimes {
    pub created: Option<Timestamp>,
    pub scheduled: Option<Timestamp>,
    pub started: Option<Timestamp>,
}

pub fn pod_times(pod: &Pod) -> PodTimes {
    let status = pod.status.as_ref();
    let condition = |name: &str| {
        let conditions = status?.conditions.as_ref()?;
        let found = conditions.iter().find(|condition| condition.type_ == name && condition.status == "True")?;
        Some(found.last_transition_time.as_ref()?.0)
    };
    let recorder = status.and_then(|status| {
        let statuses = status.init_container_statuses.as_ref()?;
        let recorder = statuses.iter().find(|container| container.name == "recorder")?;
        Some(recorder.state.as_ref()?.running.as_ref()?.started_at.as_ref()?.0)
    });
    PodTimes {
        created: pod.creation_timestamp().map(|time| time.0),
        scheduled: condition("PodScheduled"),
        started: recorder,
    }
}
