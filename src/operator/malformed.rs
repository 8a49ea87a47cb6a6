//! Recordings that cannot be read, stored before the rules of their definition: they are told so, and hurt
//! nobody else.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::core::error_boundary::InvalidObject;
use kube::discovery::ApiResource;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::{Value, json};

use super::names::{self, FINALIZER};
use crate::resource::Recording;
use crate::resource::conditions::{ConditionType, Observed, Reason, Standing, Truth, set, summary};

/// Says what is wrong with the object, once: in its status, or as an event where its definition refuses every
/// write. One that is being deleted is let go, for nothing can be finished by what it says.
pub async fn tell(
    client: &Client,
    events: &Recorder,
    namespace: &str,
    invalid: &InvalidObject,
) -> Result<(), kube::Error> {
    match tell_status(client, namespace, invalid).await {
        // The rules compare the new spec with the old one, which is of another type.
        Err(kube::Error::Api(status)) if status.code == 422 => {}
        other => return other,
    }
    let event = Event {
        type_: EventType::Warning,
        reason: Reason::Malformed.to_string(),
        note: Some(sentence(&invalid.error)),
        action: "Read".into(),
        secondary: None,
    };
    events.publish(&event, &reference_of(namespace, &invalid.metadata)).await
}

async fn tell_status(client: &Client, namespace: &str, invalid: &InvalidObject) -> Result<(), kube::Error> {
    let name = invalid.metadata.name.as_deref().unwrap_or_default();
    let recordings: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<Recording>(&()));
    let Some(object) = recordings.get_opt(name).await? else { return Ok(()) };
    let params = PatchParams { field_manager: Some(names::MANAGER.into()), ..PatchParams::default() };
    if object.metadata.deletion_timestamp.is_some() {
        let finalizers: Vec<&String> = object.finalizers().iter().filter(|name| *name != FINALIZER).collect();
        let version = object.resource_version();
        let patch = json!({ "metadata": { "finalizers": finalizers, "resourceVersion": version } });
        return gone_is_fine(recordings.patch_metadata(name, &params, &Patch::Merge(patch)).await);
    }
    let before = &object.data["status"];
    let after = status(before, &invalid.error, object.metadata.generation.unwrap_or_default(), Timestamp::now());
    if after["conditions"] == before["conditions"] {
        return Ok(());
    }
    let patch = Patch::Merge(json!({ "status": after }));
    gone_is_fine(recordings.patch_status(name, &params, &patch).await)
}

fn gone_is_fine<T>(result: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}

/// What of the status changes.
fn status(before: &Value, error: &str, generation: i64, now: Timestamp) -> Value {
    // A status that cannot be read either is written anew.
    let mut conditions: Vec<Condition> = serde_json::from_value(before["conditions"].clone()).unwrap_or_default();
    let text = sentence(error);
    let observed = Observed { generation, now };
    set(&mut conditions, ConditionType::Accepted, Truth::False, Reason::Malformed, &text, observed);
    summary(&mut conditions, Standing::Failed, Reason::Malformed, &text, observed);
    json!({ "conditions": conditions, "message": text, "observedGeneration": generation })
}

fn sentence(error: &str) -> String {
    format!("it cannot be read: {error}; mend that field (kubectl edit): it was stored before the rules of today")
}

fn reference_of(namespace: &str, metadata: &ObjectMeta) -> ObjectReference {
    ObjectReference {
        api_version: Some(Recording::api_version(&()).into_owned()),
        kind: Some(Recording::kind(&()).into_owned()),
        name: metadata.name.clone(),
        namespace: Some(namespace.to_owned()),
        uid: metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_but_once() {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let first = status(&json!({ "phase": 7 }), "invalid type: string \"wide\"", 3, now);
        assert!(first["message"].as_str().unwrap().contains("wide"));
        let later = now + jiff::Span::new().hours(1);
        assert_eq!(status(&first, "invalid type: string \"wide\"", 3, later), first);
        assert_ne!(status(&first, "another", 3, later), first);
    }
}
