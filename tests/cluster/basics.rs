//! From `kubectl apply` to the file, and what is said on the way.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::media::checks::Checks;
use crate::media::{Server, measure_page, probe};
use crate::support::audit::writes;
use crate::support::cluster::pages_host;
use crate::support::{Operator, Space, wait};

/// The ranks of the contract.
fn rank(phase: &str) -> usize {
    match phase {
        "normal" => 0,
        "recording" | "paused" => 1,
        "canceled" => 2,
        "transcode" => 3,
        "upload" => 4,
        "callback" => 5,
        "finished" => 6,
        other => panic!("{other} is no phase"),
    }
}

pub fn pages() -> Server {
    Server::on(&pages_host(), None, HashMap::new())
}

fn time(status: &Value, name: &str) -> jiff::Timestamp {
    let text = status[name].as_str().unwrap_or_else(|| panic!("no {name} in {status}"));
    text.parse().expect("RFC 3339")
}

pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

#[test]
fn an_applied_recording_becomes_a_video() {
    let mut checks = Checks::default();
    let answers: HashMap<String, crate::media::server::Answer> =
        HashMap::from([("/callback".to_owned(), Box::new(|_: &[u8]| (200u16, Vec::<u8>::new())) as _)]);
    let server = Server::on(&pages_host(), None, answers);
    let space = Space::new("video");
    let _operator = Operator::start(&space, &[]);
    let spec = json!({ "callback": { "url": server.url("callback") } });
    let recording = space.record("lesson", &server.url("clock.html"), spec);
    recording.phase("recording", 60);
    recording.event("partOpened", 1, 10);
    std::thread::sleep(Duration::from_secs(6));
    let said = Instant::now();
    recording.tell(json!({ "state": "Stopped", "revision": 1 }));
    let (at, finished) = recording.phase("finished", 60);
    checks.soon("stop to finished", at - said, Duration::from_secs(3));

    let phases = recording.phases();
    let shown = phases.join(" ");
    checks.that("phases keep their order", phases.is_sorted_by_key(|phase| rank(phase)), &shown);
    for wanted in ["recording", "canceled", "callback", "finished"] {
        checks.that(wanted, phases.iter().any(|phase| phase == wanted), &shown);
    }
    let status = &finished["status"];
    let times = ["createTime", "startTime", "cancelTime", "stopTime", "finishTime"].map(|name| time(status, name));
    checks.that("times in order", times.is_sorted(), format!("{times:?}"));
    let posted = server.posted("/callback", Duration::from_secs(10)).expect("a callback");
    let posted: Value = serde_json::from_slice(&posted).expect("JSON");
    checks.that("the callback's status", posted["Status"] == "callback", &posted);
    checks.that("the callback's video", posted["Result"]["Videos"][0]["FileSize"].as_u64() > Some(10_000), &posted);

    let files = recording.output();
    checks.that("one file", files.len() == 1, format!("{files:?}"));
    let report = measure_page(&files[0], None, 30.0);
    let ran = (times[3].duration_since(times[1])).as_secs_f64();
    checks.near("length against the times, in s", &report["duration_s"]["container"], ran, 0.3);
    let video = &status["result"]["videos"][0];
    checks.near("length in the status, in s", &video["durationSeconds"], ran, 0.3);
    checks.that("sandboxed", status["recorder"]["sandboxed"] == true, &status["recorder"]);
    checks.that("node", status["recorder"]["nodeName"].is_string(), &status["recorder"]);
    let journal: Vec<Value> = recording.publisher_journal();
    for event in ["transcodeStarted", "uploadStarted", "delivered", "callbackStarted", "finished"] {
        checks.that(event, journal.iter().any(|entry| entry["event"] == event), "in the publisher's journal");
    }
    let waited = space.kubectl(&["wait", "--for=condition=Succeeded", "recording/lesson", "--timeout=10s"]);
    checks.that("kubectl wait", waited.contains("condition met"), waited.trim());
    checks.done();
}

#[test]
fn what_is_said_takes_effect_within_a_second() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("intent");
    let _operator = Operator::start(&space, &[]);
    let recording = space.record("lesson", &server.url("clock.html"), json!({}));
    recording.phase("recording", 60);
    std::thread::sleep(Duration::from_secs(4));
    let figure = Duration::from_secs(1);

    let said = Instant::now();
    recording.tell(json!({ "state": "Paused", "revision": 1 }));
    recording.event("paused", 1, 10);
    checks.soon("pause in effect", said.elapsed(), figure);
    recording.phase("paused", 10);
    std::thread::sleep(Duration::from_secs(3));

    let said = Instant::now();
    recording.tell(json!({ "state": "Recording", "revision": 2 }));
    recording.event("resumed", 1, 10);
    checks.soon("resume in effect", said.elapsed(), figure);
    recording.now("recording", 10, |object| object["status"]["phase"] == "recording");
    std::thread::sleep(Duration::from_secs(4));

    let said = Instant::now();
    recording.tell(json!({ "refresh": 1 }));
    recording.event("refreshed", 1, 10);
    checks.soon("refresh in effect", said.elapsed(), figure);
    std::thread::sleep(Duration::from_secs(3));

    let said = Instant::now();
    recording.tell(json!({ "state": "Stopped", "revision": 3 }));
    recording.event("stopped", 1, 10);
    checks.soon("stop in effect", said.elapsed(), figure);
    let (_, finished) = recording.phase("finished", 60);
    let pauses = &finished["status"]["pauses"];
    checks.that("one pause", pauses["count"] == 1, pauses);
    checks.near("paused for, in s", &pauses["totalSeconds"], 3.0, 0.7);
    let files = recording.output();
    checks.that("one file", files.len() == 1, format!("{files:?}"));
    let report = measure_page(&files[0], None, 30.0);
    let jumps = report["clock"]["discontinuities"].as_array().cloned().unwrap_or_default();
    let cut = jumps.first().map_or(f64::NAN, |jump| jump["clock_jump_ms"].as_f64().unwrap_or(f64::NAN) / 1000.0);
    checks.near("the cut, in s", &json!(cut), pauses["items"][0]["seconds"].as_f64().unwrap_or(f64::NAN), 0.1);

    // The Job is kept for a while, and nothing more is written.
    wait("the Job to expire", Duration::from_secs(20), || {
        let jobs = recording.jobs();
        jobs.iter().all(|job| job["spec"]["ttlSecondsAfterFinished"].is_number()).then_some(())
    });
    let writes = writes(&space.name);
    println!("    writes: {writes:#?}");
    checks.that("at most 15 writes", writes.len() <= 15, writes.len());
    checks.done();
}

#[test]
fn a_page_that_cannot_be_loaded_ends_with_its_reason() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("noload");
    let _operator = Operator::start(&space, &[]);
    let recording = space.record("lesson", &server.url("status/500"), json!({}));
    let (_, finished) = recording.phase("finished", 120);
    let succeeded = condition(&finished, "Succeeded");
    checks.that("failed", succeeded["status"] == "False" && succeeded["reason"] == "PageNotLoaded", succeeded);
    let result = &finished["status"]["result"];
    checks.that("typed", result["errorCode"] == "InternalErr", result);
    // Nothing is tried again: the same pod and Job a while later.
    std::thread::sleep(Duration::from_secs(5));
    checks.that("one Job", recording.jobs().len() == 1, recording.jobs().len());
    checks.that("one pod", recording.pods().len() == 1, recording.pods().len());
    let events: Vec<Value> =
        space.get("events").into_iter().filter(|event| event["involvedObject"]["kind"] == "Recording").collect();
    checks.that("one event", events.len() == 1 && events[0]["reason"] == "PageNotLoaded", events.len());
    checks.done();
}

/// The length of a file's video, as FFmpeg reads it.
pub fn length(file: &Path) -> f64 {
    probe(file)["format"]["duration"].as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}
