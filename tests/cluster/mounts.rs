//! Secrets that come late, or never.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::basics::{condition, pages};
use crate::media::checks::Checks;
use crate::support::cluster::get;
use crate::support::gateway::Gateway;
use crate::support::recording::Watched;
use crate::support::{Operator, Space, kubectl_may_fail, wait};

/// How long a pod waits for a Secret, and how long a test waits for that.
const PATIENCE: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(300);

const KEY: &str = "panorec-hls.key=5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";

fn encrypted() -> Value {
    let encryption = json!({ "keySecretRef": { "name": "lesson-key" }, "keyURL": "https://keys.example/lesson" });
    json!({ "output": { "format": "HLS", "encryption": encryption } })
}

fn make_secret(space: &Space, literal: &str) {
    space.kubectl(&["create", "secret", "generic", "lesson-key", &format!("--from-literal={literal}")]);
}

/// Since when the pod has its node.
fn has_node(recording: &Watched) -> Instant {
    wait("its pod to have a node", Duration::from_secs(60), || {
        let pods = recording.pods();
        let is_alone = pods.len() == 1 && pods[0]["metadata"]["deletionTimestamp"].is_null();
        (is_alone && pods[0]["spec"]["nodeName"].is_string()).then(Instant::now)
    })
}

/// Waits for the end of a recording whose pod has its node; that, and what the kubelet told on the way.
fn ends_without_its_secret(checks: &mut Checks, space: &Space, recording: &Watched, says: &str) -> Value {
    let since = has_node(recording);
    let (at, ended) = recording.until("finished", DEADLINE, |object| object["status"]["phase"] == "finished");
    let waited = at - since;
    println!("    {}: ended {:.1} s after its pod had a node", recording.name, waited.as_secs_f64());
    for event in space.get("events").iter().filter(|event| event["reason"] == "FailedMount") {
        println!("    {} times until {}: {}", event["count"], event["lastTimestamp"], event["message"]);
    }
    checks.that("not too soon", waited + Duration::from_secs(1) >= PATIENCE, waited.as_secs_f64());
    for kind in ["Succeeded", "Published"] {
        let told = condition(&ended, kind);
        checks.that(kind, told["status"] == "False" && told["reason"] == "SecretMissing", told);
    }
    checks.that("stalled", condition(&ended, "Stalled")["status"] == "True", condition(&ended, "Stalled"));
    let result = &ended["status"]["result"];
    let message = result["errorMessage"].as_str().unwrap_or_default();
    let names = message.contains("lesson-key") && message.contains("panorec-hls.key") && message.contains(says);
    checks.that("the result", result["errorCode"] == "InternalErr" && names, result);
    checks.that("the same as the message", ended["status"]["message"] == message, &ended["status"]["message"]);
    checks.that("an end", ended["status"]["finishTime"].is_string(), &ended["status"]["finishTime"]);
    wait("its Job, pod and budget to go", Duration::from_secs(60), || {
        ["jobs", "pods", "pdb"].iter().all(|kind| space.get(kind).is_empty()).then_some(())
    });
    ended
}

#[test]
fn a_secret_that_never_comes_ends_the_recording() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("no-secret");
    let _operator = Operator::start(&space, &["--max-recordings", "1"]);
    let recording = space.record("lesson", &server.url("static.html"), encrypted());
    ends_without_its_secret(&mut checks, &space, &recording, "create it there");
    let told = space.get("events");
    let ends = told.iter().filter(|event| event["reason"] == "SecretMissing").count();
    checks.that("told as an event", ends == 1, ends);
    // It holds no place any more, and one that lacks the key alone ends the same way.
    make_secret(&space, "another=text");
    let next = space.record("next", &server.url("static.html"), encrypted());
    ends_without_its_secret(&mut checks, &space, &next, "add that key");
    recording.delete();
    wait("it to go", Duration::from_secs(30), || {
        (!kubectl_may_fail(&["get", "recording", "lesson", "-n", &space.name]).status.success()).then_some(())
    });
    checks.done();
}

#[test]
fn what_was_recorded_before_a_secret_was_gone_can_be_published() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("gone-secret");
    let _operator = Operator::start(&space, &[]);
    make_secret(&space, KEY);
    let recording = space.record("lesson", &server.url("clock.html"), encrypted());
    recording.phase("recording", 60);
    std::thread::sleep(Duration::from_secs(6));
    space.kubectl(&["delete", "secret", "lesson-key"]);
    let pod = recording.pods().remove(0)["metadata"]["name"].as_str().expect("a name").to_owned();
    space.kubectl(&["delete", "pod", &pod, "--grace-period=1"]);
    wait("another pod", Duration::from_secs(60), || {
        recording.pods().iter().all(|other| other["metadata"]["name"] != pod.as_str()).then_some(())
    });
    ends_without_its_secret(&mut checks, &space, &recording, "panorec.dev/republish");
    recording.annotate("panorec.dev/republish=1");
    let job = wait("a Job that publishes", Duration::from_secs(30), || recording.jobs().into_iter().next());
    let still = recording.now("not published", DEADLINE.as_secs(), |object| object["status"]["republished"] == "1");
    let message = still["status"]["message"].as_str().unwrap_or_default();
    checks.that("publishing waits no longer", message.contains("the Secret lesson-key was not"), message);
    make_secret(&space, KEY);
    recording.annotate("panorec.dev/republish=2");
    let done = recording.now("published", 120, |object| object["status"]["republished"] == "2");
    checks.that("it succeeded", condition(&done, "Succeeded")["status"] == "True", condition(&done, "Succeeded"));
    let name = job["metadata"]["name"].as_str().expect("a name");
    checks.that("the first Job is gone", recording.jobs().iter().all(|job| job["metadata"]["name"] != name), name);
    let seconds = done["status"]["result"]["videos"][0]["durationSeconds"].as_f64().unwrap_or_default();
    checks.that("what was recorded", seconds > 4.0, seconds);
    let list = recording.output().into_iter().find(|file| file.ends_with("playlist.m3u8")).expect("a playlist");
    let text = std::fs::read_to_string(&list).expect("the playlist");
    checks.that("encrypted", text.contains("METHOD=AES-128"), &text);
    checks.done();
}

/// The kubelet tries 32 s and 64 s after its first try.
#[test]
fn a_secret_that_comes_between_two_tries_is_not_late() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("between");
    let _operator = Operator::start(&space, &[]);
    let recording = space.record("lesson", &server.url("static.html"), encrypted());
    let since = has_node(&recording);
    std::thread::sleep(Duration::from_secs(40).saturating_sub(since.elapsed()));
    make_secret(&space, KEY);
    let (at, _) = recording.until("recording", DEADLINE, |object| object["status"]["phase"] == "recording");
    let began = (at - since).as_secs_f64();
    println!("    the Secret came 40 s after the pod had a node, and the recording began after {began:.1} s");
    checks.that("no other pod", recording.pods().len() == 1, recording.pods().len());
    checks.done();
}

/// A gateway that dies between the Recording and its Secret leaves a pod that waits; the client's next try
/// makes the Secret.
#[test]
fn a_start_said_again_brings_the_secret_that_the_pod_waits_for() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("late-secret");
    let mut gateway = Gateway::start(&space, &[]);
    let video = json!({ "Muxer": "hls", "EncryptKey": "21834cca41778803e1afba3f41e70c90",
        "AuthUrl": "https://keys.example/lesson" });
    let data = json!({ "RecordURL": server.url("clock.html"), "ClientToken": "once", "MaxDurationLimit": 8,
        "Output": { "Video": video } });
    let task = gateway.record(data.clone());
    space.kubectl(&["delete", "secret", &task]);
    gateway.kill();
    let _operator = Operator::start(&space, &[]);
    let since = wait("the kubelet to miss the Secret", Duration::from_secs(60), || {
        space.get("events").iter().any(|event| event["reason"] == "FailedMount").then(Instant::now)
    });
    std::thread::sleep(Duration::from_secs(10).saturating_sub(since.elapsed()));
    gateway.begin();
    let said = Instant::now();
    checks.that("the same task", gateway.record(data) == task, &task);
    let secret = get(&["secret", &task, "-n", &space.name]);
    checks.that("its Secret", secret["metadata"]["ownerReferences"][0]["name"] == task.as_str(), &task);
    gateway.until(&task, "recording", DEADLINE.as_secs());
    println!(
        "    the Secret came {:.1} s after it was missed, and the recording began {:.1} s later",
        (said - since).as_secs_f64(),
        said.elapsed().as_secs_f64()
    );
    let (finished, _) = gateway.until(&task, "finished", 90);
    checks.that("a video", finished["Result"]["Videos"][0]["Filename"] == "playlist.m3u8", &finished["Result"]);
    let runs = space.get("recordings")[0]["status"]["recorder"]["runs"].clone();
    checks.that("one run", runs == 1, &runs);
    checks.done();
}
