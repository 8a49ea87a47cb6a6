//! The Job: one pod at a time, replaced when it dies, never two.

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
};

use super::pod::{self, AWAIT};
use super::{Kind, Order};
use crate::operator::names::QUEUE_NAME;
use crate::session::exit::ExitCode;

/// How often a pod may fail for reasons of its own (exit code 1, killed), beyond being drained,
/// preempted or ended.
const BACKOFF_LIMIT: i32 = 8;

/// Exit codes of `await` that no other try would change.
const FINAL: [ExitCode; 7] = [
    ExitCode::Usage,
    ExitCode::PageNotLoaded,
    ExitCode::NothingRecorded,
    ExitCode::FinishingFailed,
    ExitCode::DeliveryFailed,
    ExitCode::NoSandbox,
    ExitCode::NoStartSignal,
];

/// The Job. It has no deadline of its own, for that would count the time that its pod waits for a
/// node; the pod has one. It has no time to live either, until its result is in the status.
pub fn job(order: &Order<'_>) -> Job {
    let mut metadata = order.metadata(order.job_name());
    if let (Some(queue), Some(labels)) = (order.queue_name, metadata.labels.as_mut()) {
        labels.insert(QUEUE_NAME.to_owned(), queue.to_owned());
    }
    Job {
        metadata,
        spec: Some(JobSpec {
            completions: Some(1),
            parallelism: Some(1),
            backoff_limit: Some(match order.kind {
                Kind::Record => BACKOFF_LIMIT,
                Kind::Finish | Kind::Republish(_) => 2,
            }),
            // Two recorders of one recording are never wanted, not even for a moment.
            pod_replacement_policy: Some("Failed".into()),
            pod_failure_policy: Some(PodFailurePolicy {
                rules: vec![
                    on_disruption("Ignore"),
                    on_exit("Ignore", &[ExitCode::Interrupted]),
                    on_exit("FailJob", &FINAL),
                ],
            }),
            suspend: order.queue_name.map(|_| true),
            template: pod::template(order),
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn on_disruption(action: &str) -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: action.into(),
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".into(),
            status: "True".into(),
        }]),
        on_exit_codes: None,
    }
}

/// Rules match sidecars too unless they name a container.
fn on_exit(action: &str, codes: &[ExitCode]) -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: action.into(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(AWAIT.into()),
            operator: "In".into(),
            values: codes.iter().map(|code| *code as i32).collect(),
        }),
        on_pod_conditions: None,
    }
}
