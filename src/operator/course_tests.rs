//! What happens with a recording, case by case.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::admission::{Full, Verdict};
use super::course::{Now, course};
use super::dereference::Found;
use super::mounts::{Lack, Missing};
use super::names;
use super::streams::Standing;
use crate::resource::Recording;

const UID: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";

fn recording(metadata: Value, status: Value) -> Recording {
    let mut all = json!({ "name": "lesson", "namespace": "school", "uid": UID });
    for (key, value) in metadata.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(json!({
        "apiVersion": "panorec.dev/v1alpha1", "kind": "Recording", "metadata": all,
        "spec": { "url": "https://school.example/" }, "status": status
    }))
    .unwrap()
}

fn job(status: Value) -> Job {
    serde_json::from_value(json!({ "metadata": {}, "spec": { "template": {} }, "status": status })).unwrap()
}

fn ended(kind: &str, reason: &str) -> Job {
    job(json!({ "conditions": [{ "type": kind, "status": "True", "reason": reason }] }))
}

/// A pod that has ended, with what its `await` left.
fn pod(job: &str, code: i32, message: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": { "ownerReferences": [{ "kind": "Job", "name": job, "uid": "1", "apiVersion": "batch/v1" }] },
        "status": { "phase": "Failed", "containerStatuses": [{
            "name": "await", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "terminated": { "exitCode": code, "message": message } }
        }] }
    }))
    .unwrap()
}

fn found(jobs: Vec<(String, Job)>, pods: Vec<Pod>) -> Found {
    Found {
        jobs: jobs.into_iter().map(|(name, job)| (name, Arc::new(job))).collect::<BTreeMap<_, _>>(),
        pods: pods.into_iter().map(Arc::new).collect(),
        budget: None,
        standing: Standing::default(),
        verdict: None,
        missing: None,
    }
}

fn now() -> Now {
    Now { time: "2026-11-25T10:00:00Z".parse().unwrap(), delete: Duration::from_secs(600), may_replace: true }
}

fn decide(recording: &Recording, found: &Found) -> String {
    let course = course(recording, UID, found, now());
    format!("{course:?}").split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

fn record_job() -> String {
    names::job("lesson", UID)
}

const FINISHED: &str = r#"{"taskId":"lesson","phase":"finished","pauses":{"count":0,"totalSeconds":0,
    "truncated":false,"items":[]},"gaps":{"count":0,"totalSeconds":0,"truncated":false,"items":[]},
    "recorder":{"runs":1},"result":{"videos":[]}}"#;

#[test]
fn a_new_one_waits_for_its_turn_and_one_that_began_does_not() {
    let new = recording(json!({}), json!(null));
    let began = recording(json!({}), json!({ "phase": "normal", "recorder": { "podName": "a", "runs": 0 } }));
    let mut found = found(vec![], vec![]);
    assert_eq!(decide(&new, &found), "Undecided");
    assert_eq!(decide(&began, &found), "Record");
    found.verdict = Some(Verdict::Queued { place: 3, why: Full::Cluster });
    assert_eq!(decide(&new, &found), "Queue");
    found.verdict = Some(Verdict::Admitted);
    assert_eq!(decide(&new, &found), "Record");
}

#[test]
fn a_job_is_followed_and_replaced_when_it_leads_to_nothing() {
    let began = recording(json!({}), json!({ "phase": "recording", "recorder": { "podName": "a", "runs": 1 } }));
    let with = |job: Job, pods: Vec<Pod>| decide(&began, &found(vec![(record_job(), job)], pods));
    assert_eq!(with(job(json!({ "active": 1 })), vec![]), "Follow");
    assert_eq!(with(job(json!({ "active": 0 })), vec![]), "Replace");
    assert_eq!(with(ended("Complete", ""), vec![]), "Replace");
    assert_eq!(with(ended("Failed", "PodFailurePolicy"), vec![pod(&record_job(), 3, "")]), "Replace");
    assert_eq!(with(ended("Failed", "BackoffLimitExceeded"), vec![]), "Finish");
    assert_eq!(with(ended("Complete", ""), vec![pod(&record_job(), 0, FINISHED)]), "Conclude");
    // Its stream has told steps that nobody has seen yet.
    let mut told = found(vec![(record_job(), ended("Complete", ""))], vec![pod(&record_job(), 0, FINISHED)]);
    told.standing.more = true;
    assert_eq!(decide(&recording(json!({}), json!({})), &told), "Follow");
    let finish = names::publish_job("lesson", UID, super::build::FINISH);
    let both = |end: Job| {
        let jobs = vec![(record_job(), ended("Failed", "BackoffLimitExceeded")), (finish.clone(), end)];
        decide(&began, &found(jobs, vec![]))
    };
    assert_eq!(both(job(json!({}))), "Follow");
    assert_eq!(both(ended("Failed", "BackoffLimitExceeded")), "GiveUp");
}

#[test]
fn one_whose_pod_waits_for_a_secret_in_vain_ends() {
    let lacks = |status: Value, jobs: Vec<(String, Job)>, pods: Vec<Pod>| {
        let mut found = found(jobs, pods);
        found.missing = Some(Missing { secret: "lesson".into(), key: "panorec-hls.key".into(), lack: Lack::Secret });
        decide(&recording(json!({ "annotations": { "panorec.dev/republish": "2" } }), status), &found)
    };
    let active = || job(json!({ "active": 1 }));
    let began = json!({ "phase": "recording", "recorder": { "podName": "a", "runs": 1 } });
    let finish = names::publish_job("lesson", UID, super::build::FINISH);
    let again = names::publish_job("lesson", UID, "again/2");
    assert_eq!(lacks(json!({}), vec![(record_job(), active())], vec![]), "Abandon");
    assert_eq!(lacks(began.clone(), vec![(record_job(), active())], vec![]), "Abandon");
    let both = vec![(record_job(), ended("Failed", "BackoffLimitExceeded")), (finish, active())];
    assert_eq!(lacks(began.clone(), both, vec![]), "Abandon");
    // An earlier pod of it has ended well.
    let pods = vec![pod(&record_job(), 0, FINISHED)];
    assert_eq!(lacks(began, vec![(record_job(), active())], pods), "Conclude");
    assert_eq!(lacks(json!({ "phase": "finished" }), vec![(again, active())], vec![]), "Republished");
}

#[test]
fn a_deleted_one_is_finished_first_unless_nothing_began_or_it_is_too_late() {
    let lives = || found(vec![(record_job(), job(json!({ "active": 1 })))], vec![]);
    let deleted = |at: &str, annotations: Value, status: Value| {
        recording(json!({ "deletionTimestamp": at, "annotations": annotations }), status)
    };
    let recording = json!({ "phase": "recording" });
    assert_eq!(decide(&deleted("2026-11-25T09:59:00Z", json!({}), recording.clone()), &lives()), "Follow");
    assert_eq!(decide(&deleted("2026-11-25T09:50:00Z", json!({}), recording.clone()), &lives()), "Leave");
    let discarded = json!({ "panorec.dev/discard": "true" });
    assert_eq!(decide(&deleted("2026-11-25T09:59:00Z", discarded, recording), &lives()), "Leave");
    let queued = deleted("2026-11-25T09:59:00Z", json!({}), json!(null));
    assert_eq!(decide(&queued, &found(vec![], vec![])), "Leave");
}

#[test]
fn a_finished_one_rests_until_it_is_to_be_made_again() {
    let status = json!({ "phase": "finished", "republished": "1" });
    let with = |value: &str| recording(json!({ "annotations": { "panorec.dev/republish": value } }), status.clone());
    assert_eq!(decide(&recording(json!({}), status.clone()), &found(vec![], vec![])), "Rest");
    assert_eq!(decide(&with("1"), &found(vec![], vec![])), "Rest");
    assert_eq!(decide(&with("2"), &found(vec![], vec![])), "Republish");
    let again = names::publish_job("lesson", UID, "again/2");
    let jobs = |job: Job| vec![(again.clone(), job)];
    assert_eq!(decide(&with("2"), &found(jobs(job(json!({}))), vec![])), "Rest");
    let pods = || vec![pod(&again, 0, FINISHED)];
    assert_eq!(decide(&with("2"), &found(jobs(ended("Complete", "")), pods())), "Republished");
    assert_eq!(decide(&with("2"), &found(jobs(ended("Failed", "")), vec![])), "Republished");
}
