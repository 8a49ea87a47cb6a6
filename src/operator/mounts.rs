//! Secrets that a pod waits for. The operator cannot read any, so it goes by what the kubelet tells
//! of its mounts: in the pod's conditions, and in its events.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Volume};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::dereference::{is_over, pod_times};

/// How long a pod waits for a Secret that it names, counted from when the kubelet missed it first. The
/// kubelet tries again after 0.5 s, 1 s, 2 s and so on, so the first try that is late enough comes
/// after 64 s (kubernetes, pkg/util/goroutinemap/exponentialbackoff).
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The shortest and the longest pause between two looks at the events of a pod that waits longer.
const LOOK: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// A Secret that a pod has waited for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub secret: String,
    pub key: String,
    pub lack: Lack,
}

/// What of it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    Secret,
    Key,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing { secret, key, lack } = self;
        let seconds = PATIENCE.as_secs();
        match lack {
            Lack::Secret => write!(
                f,
                "the Secret {secret} was not in the recording's namespace within {seconds} s; create it there with the key {key}"
            ),
            Lack::Key => write!(
                f,
                "the Secret {secret} in the recording's namespace had no key {key} within {seconds} s; add that key"
            ),
        }
    }
}

/// Whether it is time to ask what the pod waits for.
pub fn is_due(pod: &Pod, now: Timestamp) -> bool {
    waited(pod, now).is_some_and(|waited| waited >= PATIENCE)
}

/// How soon to look at the pod again; None: it waits for no Secret.
pub fn look_after(pod: &Pod, now: Timestamp) -> Option<Duration> {
    let waited = waited(pod, now)?;
    let until_due = PATIENCE.saturating_sub(waited);
    // A claim may take hours to be mounted, and each look lists the events of the namespace.
    Some(if until_due.is_zero() { (waited / 12).clamp(LOOK.0, LOOK.1) } else { until_due })
}

/// How long a pod that names Secrets has had its node without having its mounts.
fn waited(pod: &Pod, now: Timestamp) -> Option<Duration> {
    secrets(pod).next()?;
    if is_over(pod) || pod.metadata.deletion_timestamp.is_some() || has_mounts(pod) {
        return None;
    }
    Some(Duration::try_from(now.duration_since(pod_times(pod).scheduled?)).unwrap_or_default())
}

/// The kubelet makes a pod's sandbox, and then pulls its images, once it has made all mounts.
fn has_mounts(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let has_sandbox = status
        .conditions
        .iter()
        .flatten()
        .any(|condition| condition.type_ == "PodReadyToStartContainers" && condition.status == "True");
    let mut containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    has_sandbox
        || containers.any(|container| {
            container.state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some())
        })
}

/// A volume that is one key of a Secret.
struct SecretVolume<'a> {
    volume: &'a str,
    secret: &'a str,
    key: &'a str,
}

fn secrets(pod: &Pod) -> impl Iterator<Item = SecretVolume<'_>> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|Volume { name, secret, .. }| {
        let source = secret.as_ref()?;
        let key = source.items.as_ref()?.first()?.key.as_str();
        Some(SecretVolume { volume: name, secret: source.secret_name.as_deref()?, key })
    })
}

/// What the kubelet told of mounts of this pod that failed.
pub async fn failures(client: &Client, pod: &Pod) -> Result<Vec<Event>, kube::Error> {
    let api = Api::<Event>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let of_pod = format!("regarding.uid={},reason=FailedMount", pod.uid().unwrap_or_default());
    Ok(api.list(&ListParams::default().fields(&of_pod)).await?.items)
}

/// The first Secret that was missed for [`PATIENCE`], by the kubelet's own clock.
pub fn missing(pod: &Pod, failures: &[Event]) -> Option<Missing> {
    secrets(pod).find_map(|named| {
        let told = failures.iter().filter_map(|event| Some((lack(&named, event.note.as_deref()?)?, times(event)?)));
        let (mut first, mut last, mut newest) = (Timestamp::MAX, Timestamp::MIN, None);
        for (lack, (from, to)) in told {
            first = first.min(from);
            if to >= last {
                (last, newest) = (to, Some(lack));
            }
        }
        let lack = newest.filter(|_| last.duration_since(first).unsigned_abs() >= PATIENCE)?;
        Some(Missing { secret: named.secret.to_owned(), key: named.key.to_owned(), lack })
    })
}

/// What a failed mount says of a Secret. A kubelet that asks the API server itself has its word, `secrets`.
fn lack(named: &SecretVolume<'_>, note: &str) -> Option<Lack> {
    let SecretVolume { volume, secret, key } = named;
    if !note.contains(&format!("for volume \"{volume}\"")) {
        return None;
    }
    let not_found = ["secret", "secrets"].map(|word| format!("{word} \"{secret}\" not found"));
    if not_found.iter().any(|words| note.contains(words)) {
        return Some(Lack::Secret);
    }
    note.contains(&format!("references non-existent secret key: {key}")).then_some(Lack::Key)
}

/// When it was told first, and last.
fn times(event: &Event) -> Option<(Timestamp, Timestamp)> {
    let single = event.event_time.as_ref().map(|time| time.0);
    let first = event.deprecated_first_timestamp.as_ref().map(|time| time.0).or(single)?;
    let last = event.series.as_ref().map(|series| series.last_observed_time.0);
    let last = last.or_else(|| event.deprecated_last_timestamp.as_ref().map(|time| time.0));
    Some((first, last.unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        let volume = |name: &str, secret: &str, key: &str| json!({ "name": name, "secret": { "secretName": secret, "items": [{ "key": key, "path": key }] } });
        serde_json::from_value(json!({
            "metadata": { "name": "a", "namespace": "school" },
            "spec": { "containers": [], "volumes": [
                { "name": "claim", "persistentVolumeClaim": { "claimName": "panorec" } },
                volume("login", "teacher", "panorec-login.json"),
                volume("hls-key", "lesson", "panorec-hls.key"),
            ] },
            "status": status
        }))
        .unwrap()
    }

    fn condition(kind: &str, status: &str) -> Value {
        json!({ "type": kind, "status": status, "lastTransitionTime": "2026-11-25T10:00:00Z" })
    }

    fn at(time: &str) -> Timestamp {
        format!("2026-11-25T{time}Z").parse().unwrap()
    }

    #[test]
    fn a_pod_is_due_after_a_minute_without_its_mounts() {
        let scheduled = || condition("PodScheduled", "True");
        let init = |state: Value| json!([{ "name": "folder", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state }]);
        let waiting = json!({ "waiting": { "reason": "PodInitializing" } });
        for (what, status, due) in [
            ("no node", json!({ "conditions": [condition("PodScheduled", "False")] }), false),
            ("no mounts", json!({ "conditions": [scheduled()], "initContainerStatuses": init(waiting) }), true),
            (
                "no sandbox",
                json!({ "conditions": [scheduled(), condition("PodReadyToStartContainers", "False")] }),
                true,
            ),
            (
                "an image that is pulled",
                json!({ "conditions": [scheduled(), condition("PodReadyToStartContainers", "True")] }),
                false,
            ),
            (
                "it has begun",
                json!({ "conditions": [scheduled()], "initContainerStatuses": init(json!({ "terminated": { "exitCode": 0 } })) }),
                false,
            ),
            ("it has ended", json!({ "conditions": [scheduled()], "phase": "Failed" }), false),
        ] {
            let pod = pod(status);
            assert!(!is_due(&pod, at("10:00:59")), "{what}");
            assert_eq!(is_due(&pod, at("10:01:00")), due, "{what}");
            assert_eq!(look_after(&pod, at("10:01:00")).is_some(), due, "{what}");
        }
    }

    #[test]
    fn looks_become_rarer() {
        let waits = pod(json!({ "conditions": [condition("PodScheduled", "True")] }));
        let seconds = |time: &str| look_after(&waits, at(time)).unwrap().as_secs();
        assert_eq!(
            ["09:59:50", "10:00:20", "10:01:00", "10:02:00", "11:00:00"].map(seconds),
            [60, 40, 5, 10, 60],
            "until it is due, and then by how long it has waited"
        );
        let without = Pod { spec: None, ..waits.clone() };
        assert_eq!(look_after(&without, at("10:01:00")), None);
    }

    #[test]
    fn a_secret_is_missing_once_the_kubelet_has_missed_it_for_a_minute() {
        let event = |note: &str, first: &str, last: &str| -> Event {
            serde_json::from_value(json!({
                "metadata": {}, "eventTime": null, "reason": "FailedMount", "note": note,
                "deprecatedFirstTimestamp": at(first), "deprecatedLastTimestamp": at(last),
            }))
            .unwrap()
        };
        let failed = |volume: &str, why: &str| format!("MountVolume.SetUp failed for volume \"{volume}\" : {why}");
        let no_secret = failed("hls-key", "secret \"lesson\" not found");
        let no_key = failed("hls-key", "references non-existent secret key: panorec-hls.key");
        let lesson = |lack| Some(Missing { secret: "lesson".into(), key: "panorec-hls.key".into(), lack });
        let waits = pod(json!({}));
        for (what, events, expected) in [
            ("nothing is told", vec![], None),
            ("for half a minute", vec![event(&no_secret, "10:00:00", "10:00:32")], None),
            ("for a minute", vec![event(&no_secret, "10:00:00", "10:01:00")], lesson(Lack::Secret)),
            (
                "by a kubelet that was started anew",
                vec![event(&no_secret, "10:00:00", "10:00:32"), event(&no_secret, "10:00:40", "10:01:10")],
                lesson(Lack::Secret),
            ),
            (
                "it came without its key",
                vec![event(&no_key, "10:00:32", "10:01:04"), event(&no_secret, "10:00:00", "10:00:16")],
                lesson(Lack::Key),
            ),
            (
                "as the API server says it",
                vec![event(&failed("hls-key", "secrets \"lesson\" not found"), "10:00:00", "10:01:04")],
                lesson(Lack::Secret),
            ),
            (
                "another volume",
                vec![event(&failed("claim", "mount failed: exit status 32"), "10:00:00", "10:09:00")],
                None,
            ),
            (
                "another Secret",
                vec![event(&failed("hls-key", "secret \"lesson-2\" not found"), "10:00:00", "10:09:00")],
                None,
            ),
            (
                "a node that does not reach the API server",
                vec![event(&failed("hls-key", "failed to sync secret cache: timed out"), "10:00:00", "10:09:00")],
                None,
            ),
        ] {
            assert_eq!(missing(&waits, &events), expected, "{what}");
        }
        // Told by the newer kind of event.
        let series: Event = serde_json::from_value(json!({
            "metadata": {}, "reason": "FailedMount", "note": no_secret, "eventTime": "2026-11-25T10:00:00.000000Z",
            "series": { "count": 8, "lastObservedTime": "2026-11-25T10:01:04.000000Z" }
        }))
        .unwrap();
        assert_eq!(missing(&waits, &[series]), lesson(Lack::Secret));
    }
}
