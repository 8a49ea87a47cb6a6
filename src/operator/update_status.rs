//! Writing the status: as a minimal merge patch, and only when something changed that is worth it.

use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Map, Value, json};

use super::names;
use crate::resource::{Recording, RecordingStatus};
use crate::session::fold::Phase;

/// What changes all the time, or says nothing new; it goes along when something else is written.
const NOT_WORTH_A_WRITE: [&str; 3] = ["content", "duration", "observedGeneration"];

/// How long small changes wait for others, so that they are written together: a pod that starts
/// changes in many small steps.
pub const CALM: Duration = Duration::from_secs(2);

/// Writes `after` where `before` stands, unless nothing was worth a write, or something was written
/// less than [`CALM`] ago (`last`) and the recording has come no step further since.
pub async fn write(
    client: &Client,
    recording: &Recording,
    before: &RecordingStatus,
    after: RecordingStatus,
    last: Option<Instant>,
) -> Result<Written, kube::Error> {
    let settled = after.phase == Phase::Finished;
    let Some(patch) = patch(before, &after, settled).map_err(kube::Error::SerdeError)? else {
        return Ok(Written::Same);
    };
    // A page may pause and go on without rest.
    if !settled && after.phase.rank() == before.phase.rank() && last.is_some_and(|last| last.elapsed() < CALM) {
        return Ok(Written::Later);
    }
    let api = Api::<Recording>::namespaced(client.clone(), &recording.namespace().unwrap_or_default());
    let params = PatchParams { field_manager: Some(names::MANAGER.into()), ..PatchParams::default() };
    match api.patch_status(&recording.name_any(), &params, &Patch::Merge(patch)).await {
        Ok(_) => Ok(Written::Changed(Box::new(after))),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Written::Same),
        Err(error) => Err(error),
    }
}

/// What became of a status.
pub enum Written {
    Same,
    /// It is worth a write, after a while.
    Later,
    Changed(Box<RecordingStatus>),
}

fn patch(before: &RecordingStatus, after: &RecordingStatus, settled: bool) -> Result<Option<Value>, serde_json::Error> {
    let (before, after) = (serde_json::to_value(before)?, serde_json::to_value(after)?);
    if !settled && essence(&before) == essence(&after) {
        return Ok(None);
    }
    Ok(difference(&before, &after).map(|difference| json!({ "status": difference })))
}

fn essence(status: &Value) -> Value {
    let mut status = status.clone();
    if let Value::Object(fields) = &mut status {
        for name in NOT_WORTH_A_WRITE {
            fields.remove(name);
        }
        // Their lengths grow while they last; that one began or ended shows in the phase.
        for name in ["pauses", "gaps"] {
            if let Some(listing) = fields.get_mut(name) {
                *listing = listing["count"].take();
            }
        }
        for condition in fields.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(condition) = condition {
                condition.remove("observedGeneration");
            }
        }
    }
    status
}

/// The merge patch (RFC 7396) that makes `after` of `before`; None: they are the same.
fn difference(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before != after).then(|| after.clone());
    };
    let mut patch = Map::new();
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in new {
        let changed = match old.get(name) {
            Some(old) => difference(old, value),
            None => Some(value.clone()),
        };
        if let Some(changed) = changed {
            patch.insert(name.clone(), changed);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_holds_what_changed_and_nothing_else() {
        let before = json!({ "phase": "normal", "recorder": { "runs": 1, "podName": "a" }, "queuePosition": 3 });
        let after = json!({ "phase": "recording", "recorder": { "runs": 1, "podName": "b" }, "gaps": { "count": 0 } });
        let expected = json!({
            "phase": "recording", "recorder": { "podName": "b" }, "gaps": { "count": 0 }, "queuePosition": null
        });
        assert_eq!(difference(&before, &after), Some(expected));
        assert_eq!(difference(&before, &before), None);
    }

    #[test]
    fn what_changes_all_the_time_is_not_worth_a_write() {
        let before = RecordingStatus { duration: Some("1s".into()), ..RecordingStatus::default() };
        let after =
            RecordingStatus { duration: Some("2s".into()), observed_generation: Some(2), ..RecordingStatus::default() };
        assert_eq!(patch(&before, &after, false).unwrap(), None);
        assert!(patch(&before, &after, true).unwrap().is_some());
        let after = RecordingStatus { message: Some("it records".into()), ..after };
        let patch = patch(&before, &after, false).unwrap().unwrap();
        assert_eq!(patch["status"]["duration"], "2s");
    }
}
