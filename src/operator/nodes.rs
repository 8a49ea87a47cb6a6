//! Nodes that are lost: their pods are taken away, so that others can go on with the recordings.
//!
//! A pod on a node that does not answer stays forever as it is, and its Job makes no other one. The
//! old pod may still run; the run's number in the session folder keeps it from doing harm.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::reflector::Store;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::dereference::is_over;
use super::names;

/// How often nodes are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Takes pods away from nodes that have been lost for `after`.
pub async fn run(client: Client, nodes: Store<Node>, pods: Store<Pod>, after: Duration) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let states: HashMap<String, NodeState> =
            nodes.state().iter().map(|node| (node.name_any(), state(node))).collect();
        for pod in lost_pods(&pods, &states, after, Timestamp::now()) {
            let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
            tracing::warn!(pod = name, namespace, "its node is lost; taking it away");
            let api = Api::<Pod>::namespaced(client.clone(), &namespace);
            if let Err(error) = take_away(&api, &name).await {
                tracing::warn!(%error, pod = name, "cannot take it away");
            }
        }
    }
}

/// Its Job makes another pod only once this one has ended, and no kubelet is there to say so. What is
/// said here is what Kubernetes' own collector of orphaned pods says (pkg/controller/podgc).
async fn take_away(api: &Api<Pod>, name: &str) -> Result<(), kube::Error> {
    let ended = json!({ "status": { "phase": "Failed", "reason": "NodeLost", "conditions": [{
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPanorec",
        "message": "its node does not answer", "lastTransitionTime": Timestamp::now(),
    }] } });
    let params = PatchParams { field_manager: Some(names::MANAGER.into()), ..PatchParams::default() };
    api.patch_status(name, &params, &Patch::Strategic(ended)).await?;
    api.delete(name, &DeleteParams::default().grace_period(0)).await?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NodeState {
    Ready,
    /// Since when it is not.
    NotReady(Timestamp),
}

fn state(node: &Node) -> NodeState {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready");
    match ready {
        // A node that says itself that it is not ready still listens to the API server.
        Some(condition) if condition.status != "Unknown" => NodeState::Ready,
        Some(condition) => {
            NodeState::NotReady(condition.last_transition_time.as_ref().map_or(Timestamp::now(), |time| time.0))
        }
        None => NodeState::Ready,
    }
}

/// The pods to take away. Of a node that is gone altogether Kubernetes takes them away itself.
fn lost_pods(
    pods: &Store<Pod>,
    nodes: &HashMap<String, NodeState>,
    after: Duration,
    now: Timestamp,
) -> Vec<std::sync::Arc<Pod>> {
    pods.state_filter(|pod| {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        let since = node.and_then(|node| nodes.get(node));
        let Some(NodeState::NotReady(since)) = since else { return false };
        let lost = now.duration_since(*since);
        !is_over(pod) && lost.is_positive() && lost.unsigned_abs() >= after
    })
}
