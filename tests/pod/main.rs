//! A recorder pod as the cluster runs it: separate processes on one folder, a page recorded by
//! Chrome, everything that may die killed once.

mod http;
mod pods;
#[allow(dead_code, unused_imports)] // this test uses its share
#[path = "../media/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use panorec::session::fold::{Folded, Phase};
use panorec::session::intent::{Intent, IntentState};

use pods::{Claim, DEADLINE, Pod, read, said, until};
use support::server::Answer;
use support::{Server, measure::complaints};

/// An intent is in effect within a second; five are allowed on a busy machine.
const IN_EFFECT: Duration = Duration::from_secs(5);

fn parts(folded: &Folded) -> usize {
    folded.parts().count()
}

fn until_recording(claim: &Claim) {
    until(claim, "first frame", DEADLINE, |folded| folded.phase() == Phase::Recording && parts(folded) > 0);
}

fn stop(pod: &Pod) {
    let answer = pod.client().put("/v1/intent", &said(9, "Stopped", 9));
    assert_eq!((answer.status, answer.json()), (200, json!({"taken": true})));
}

/// The one video, which must play through; returns the result.
fn finished(claim: &Claim) -> Value {
    let result = claim.result();
    assert_eq!(result["phase"], "finished", "{result}");
    let videos = result["result"]["videos"].as_array().unwrap();
    assert_eq!(videos.len(), 1, "{result}");
    assert_eq!(complaints(&claim.out().join("lesson.mp4")), "");
    println!("    {} s, gaps {}", videos[0]["durationSeconds"], result["gaps"]);
    result
}

#[test]
fn a_recording_from_its_start_to_its_result_and_once_more() {
    let answer: Answer = Box::new(|_| (204, Vec::new()));
    let server = Server::with(None, HashMap::from([("/callback".to_owned(), answer)]));
    let claim = Claim::new();
    let mut pod = claim.pod(&server.url("clock.html?wall=1"));
    pod.delivery["callback"] = json!({ "url": server.url("callback") });
    let mut recorder = pod.recorder();
    let mut publisher = pod.publisher();
    let mut awaiting = pod.awaiting();
    let client = pod.client();
    until_recording(&claim);

    let backlog: Vec<Value> = client.events("").take_while(|line| line["mark"] != "caughtUp").collect();
    assert!(backlog.iter().any(|line| line["entry"]["event"] == "partOpened"), "{backlog:?}");
    assert_eq!(client.put("/v1/intent", &said(2, "Paused", 1)).status, 409);
    assert_eq!(client.ask("PUT", "/v1/intent", b"{").status, 400);
    assert_eq!(http::Client { token: None, ..client.clone() }.get("/v1/events").status, 401);

    sleep(Duration::from_secs(2));
    let picture = client.get("/v1/preview.jpg");
    assert_eq!(picture.status, 200, "{}", String::from_utf8_lossy(&picture.body));
    assert!(picture.body.starts_with(&[0xFF, 0xD8]) && picture.body.ends_with(&[0xFF, 0xD9]));
    let file = claim.out().join("preview.jpg");
    std::fs::write(&file, &picture.body).unwrap();
    let probed = support::probe(&file);
    assert_eq!(probed["streams"][0]["width"], 1280, "{probed}");
    std::fs::remove_file(&file).unwrap();

    for (revision, state, phase) in [(1, "Paused", Phase::Paused), (2, "Recording", Phase::Recording)] {
        let began = std::time::Instant::now();
        assert_eq!(client.put("/v1/intent", &said(4, state, revision)).json(), json!({"taken": true}));
        println!("    {state} taken after {:?}", began.elapsed());
        until(&claim, state, IN_EFFECT, |folded| {
            folded.phase() == phase && folded.open_pause().is_some() == (phase == Phase::Paused)
        });
        sleep(Duration::from_secs(1));
    }
    stop(&pod);
    until(&claim, "stop", IN_EFFECT, |folded| folded.is_stopped());
    assert_eq!(awaiting.end(DEADLINE), 0, "{}", awaiting.log());
    let result = finished(&claim);
    assert_eq!((&result["pauses"]["count"], &result["gaps"]["count"]), (&json!(1), &json!(0)));
    let message = read(&pod.message());
    assert!(message.len() <= 3072);
    let message: Value = serde_json::from_slice(&message).unwrap();
    assert_eq!(message["result"], result["result"]);
    let told: Value = serde_json::from_slice(&server.posted("/callback", DEADLINE).unwrap()).unwrap();
    assert_eq!((&told["Status"], &told["TaskID"]), (&json!("callback"), &json!("lesson-4")), "{told}");
    assert_eq!(told["Result"]["Videos"][0]["Filename"], "lesson.mp4", "{told}");
    assert!(told["CreateTime"].is_u64() && told["FinishTime"].is_u64() && told["RequestID"].is_null(), "{told}");
    for (container, code) in [(&mut recorder, 0), (&mut publisher, 0)] {
        container.assert_alive();
        container.term();
        assert_eq!(container.end(DEADLINE), code);
    }

    let mut again = claim.pod("http://127.0.0.1:9/");
    again.delivery["name"] = json!("again");
    again.republish = Some("2".to_owned());
    let mut awaiting = again.awaiting();
    let _publisher = again.publisher();
    assert_eq!(awaiting.end(DEADLINE), 0, "{}", awaiting.log());
    assert_eq!(claim.result()["republish"], "2");
    assert_eq!(complaints(&claim.out().join("again.mp4")), "");
}

#[test]
fn a_killed_recorder_is_restarted_and_a_killed_publisher_is_not_missed() {
    let server = Server::start();
    let claim = Claim::new();
    let pod = claim.pod(&server.url("clock.html?wall=1"));
    let recorder = pod.recorder();
    let publisher = pod.publisher();
    let mut awaiting = pod.awaiting();
    until_recording(&claim);
    sleep(Duration::from_secs(3));
    publisher.kill9();
    let _publisher = pod.publisher();
    sleep(Duration::from_secs(3));
    assert_eq!(claim.folded().gaps().len(), 0, "the publisher is not missed");
    recorder.kill9();
    let _recorder = pod.recorder();
    until(&claim, "second run", DEADLINE, |folded| folded.runs == 2 && parts(folded) == 2);
    sleep(Duration::from_secs(3));
    stop(&pod);
    assert_eq!(awaiting.end(DEADLINE), 0, "{}", awaiting.log());
    let result = finished(&claim);
    assert_eq!(result["gaps"]["count"], 1);
    assert_eq!(result["gaps"]["items"][0]["cause"], "recorderDied");
}

#[test]
fn an_evicted_pod_closes_its_part_and_another_one_finishes() {
    let server = Server::start();
    let claim = Claim::new();
    let url = server.url("clock.html?wall=1");
    let pod = claim.pod(&url);
    let (mut recorder, mut publisher, mut awaiting) = (pod.recorder(), pod.publisher(), pod.awaiting());
    until_recording(&claim);
    sleep(Duration::from_secs(3));
    awaiting.term();
    assert_eq!(awaiting.end(DEADLINE), 8);
    recorder.term();
    assert_eq!(recorder.end(DEADLINE), 8);
    assert!(claim.folded().unmeasured_part().is_none(), "the part is closed");
    publisher.term();
    assert_eq!(publisher.end(DEADLINE), 8);
    drop(pod);

    let pod = claim.pod(&url);
    let (_recorder, _publisher, mut awaiting) = (pod.recorder(), pod.publisher(), pod.awaiting());
    until(&claim, "second pod's frame", DEADLINE, |folded| parts(folded) == 2);
    sleep(Duration::from_secs(2));
    stop(&pod);
    assert_eq!(awaiting.end(DEADLINE), 0, "{}", awaiting.log());
    assert_eq!(finished(&claim)["gaps"]["count"], 1);
}

#[test]
fn a_paused_recording_films_nothing_in_its_next_pod() {
    let server = Server::start();
    let claim = Claim::new();
    let url = server.url("clock.html?wall=1");
    let pod = claim.pod(&url);
    let (recorder, publisher) = (pod.recorder(), pod.publisher());
    until_recording(&claim);
    sleep(Duration::from_secs(2));
    assert_eq!(pod.client().put("/v1/intent", &said(4, "Paused", 1)).status, 200);
    until(&claim, "pause", IN_EFFECT, |folded| folded.open_pause().is_some());
    recorder.kill9();
    publisher.kill9();
    let frames = parts(&claim.folded());
    let mut pod = claim.pod(&url);
    // What the template says counts for the first run only.
    pod.intent = Intent { state: IntentState::Recording, revision: 0, ..Intent::default() };
    let (_recorder, _publisher, mut awaiting) = (pod.recorder(), pod.publisher(), pod.awaiting());
    until(&claim, "second run's page", DEADLINE, |folded| folded.runs == 2);
    sleep(Duration::from_secs(5));
    assert_eq!(parts(&claim.folded()), frames, "films nothing");
    stop(&pod);
    assert_eq!(awaiting.end(DEADLINE), 0, "{}", awaiting.log());
    // What the encoder still held when it was killed, and nothing of the pause.
    let lost = finished(&claim)["gaps"]["totalSeconds"].as_f64().unwrap();
    assert!(lost < 1.5, "{lost} s are missing");
}

#[test]
fn a_page_that_cannot_be_loaded_ends_the_pod() {
    let server = Server::start();
    let claim = Claim::new();
    let pod = claim.pod(&server.url("status/404"));
    let (mut recorder, _publisher, mut awaiting) = (pod.recorder(), pod.publisher(), pod.awaiting());
    assert_eq!(awaiting.end(DEADLINE), 3, "{}", awaiting.log());
    assert_eq!(claim.result()["result"]["errorCode"], "InternalErr");
    recorder.assert_alive();
}

#[test]
fn a_stop_is_followed_also_when_no_recorder_comes_back() {
    let server = Server::start();
    let claim = Claim::new();
    let pod = claim.pod(&server.url("clock.html?wall=1"));
    let (recorder, _publisher, mut awaiting) = (pod.recorder(), pod.publisher(), pod.awaiting());
    until_recording(&claim);
    sleep(Duration::from_secs(4));
    recorder.kill9();
    sleep(Duration::from_millis(500));
    let answer = pod.client().put("/v1/intent", &said(4, "Stopped", 1));
    assert_eq!((answer.status, answer.json()), (202, json!({"taken": false})));
    let began = std::time::Instant::now();
    assert_eq!(awaiting.end(DEADLINE), 0, "{}", awaiting.log());
    println!("    finished after {:?}", began.elapsed());
    assert!(began.elapsed() > Duration::from_secs(25));
    finished(&claim);
}
