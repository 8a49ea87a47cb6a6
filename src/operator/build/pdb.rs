//! The PodDisruptionBudget of a recording that must not be drained away.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Order;
use crate::operator::names::{self, Role};

/// Keeps the one pod of a recording where it is. Pods of Jobs allow an integer `minAvailable` only.
pub fn disruption_budget(order: &Order<'_>) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: order.metadata(order.job_name()),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(names::labels(order.uid, Role::Record)),
                ..LabelSelector::default()
            }),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}
