//! The publisher's control endpoint on a session whose journal is written by hand. No Chrome here.

#[path = "../pod/http.rs"]
mod http;
#[path = "../pod/pods.rs"]
mod pods;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use panorec::session::event::RecorderEvent;
use panorec::session::folder::RecorderRun;
use panorec::session::follow::Follower;
use panorec::session::intent::{By, IntentState};
use panorec::session::stream::StreamLine;

use http::Client;
use pods::{Claim, DEADLINE, Pod, said};

/// A recorder that has failed to load its page; it is held alive.
fn recorded(claim: &Claim) -> RecorderRun {
    let session = claim.dir();
    let run = RecorderRun::claim(&session).unwrap();
    run.start(&session, |_, _| None).unwrap();
    run.append(RecorderEvent::PageFailed { reason: "refused".into() }).unwrap();
    run
}

fn pod(claim: &Claim) -> Pod<'_> {
    claim.pod("http://127.0.0.1:9/")
}

fn until_caught_up(events: &mut http::Events) -> Vec<Value> {
    events.take_while(|line| line["mark"] != "caughtUp").filter(|line| line["mark"].is_null()).collect()
}

#[test]
fn only_the_token_opens_and_only_what_is_there() {
    let claim = Claim::new();
    let pod = pod(&claim);
    let _publisher = pod.publisher();
    let client = pod.client();
    for token in [None, Some("wrong".to_owned())] {
        let stranger = Client { token, ..client.clone() };
        for path in ["/v1/events", "/v1/preview.jpg", "/nowhere"] {
            assert_eq!(stranger.get(path).status, 401, "{path}");
        }
    }
    assert_eq!(client.get("/nowhere").status, 404);
    assert_eq!(client.ask("POST", "/v1/events", b"").status, 405);
    assert_eq!(client.ask("GET", "/v1/intent", b"").status, 405);
    assert_eq!(client.get("/v1/preview.jpg").status, 404);
    for cursor in ["x", "r1:7", "r9:1"] {
        assert_eq!(client.get(&format!("/v1/events?after={cursor}")).status, 400, "{cursor}");
    }
    assert_eq!(client.ask("PUT", "/v1/intent", b"{}").status, 400);
    assert_eq!(client.ask("PUT", "/v1/intent", &vec![b' '; 20 << 10]).status, 413);
}

#[test]
fn events_come_as_they_are_journaled_and_from_where_one_was() {
    let claim = Claim::new();
    let run = recorded(&claim);
    let pod = pod(&claim);
    let mut publisher = pod.publisher();
    pods::until(&claim, "run of the publisher", DEADLINE, |folded| folded.published.run.is_some());
    let client = pod.client();
    let mut events = client.events("");
    let backlog = until_caught_up(&mut events);
    let names: Vec<_> = backlog.iter().map(|line| line["entry"]["event"].clone()).collect();
    assert_eq!(names, ["runStarted", "pageFailed", "runStarted"]);
    let said_at = Instant::now();
    run.append(RecorderEvent::Warning { text: "news".into() }).unwrap();
    let line = events.find(|line| line["mark"].is_null()).unwrap();
    println!("    an event took {:?}", said_at.elapsed());
    assert_eq!((&line["entry"]["text"], &line["run"], &line["half"]), (&json!("news"), &json!(1), &json!("recorder")));
    assert!(said_at.elapsed() < Duration::from_secs(2));

    let mut follower = Follower::new();
    for line in backlog.iter().chain([&line]) {
        follower.push(serde_json::from_value::<StreamLine>(line.clone()).unwrap());
    }
    assert_eq!(follower.folded(), &claim.folded());
    assert_eq!(until_caught_up(&mut client.events(&follower.cursor().to_string())), [Value::Null; 0]);
    assert_eq!(events.next().unwrap(), json!({"mark": "alive"}));

    publisher.term();
    let began = Instant::now();
    assert_eq!(events.next(), None, "the body is ended");
    assert_eq!(publisher.end(DEADLINE), 8);
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn an_intent_is_kept_in_its_generation_also_by_the_next_publisher() {
    let claim = Claim::new();
    let run = recorded(&claim);
    let pod = pod(&claim);
    let publisher = pod.publisher();
    let client = pod.client();
    let put = |client: &Client, body: &Value| {
        let answer = client.put("/v1/intent", body);
        (answer.status, if answer.status < 300 { answer.json()["taken"].clone() } else { Value::Null })
    };
    assert_eq!(put(&client, &said(2, "Recording", 0)).0, 409, "the pod is of generation 3");
    assert_eq!(put(&client, &said(3, "Recording", 0)), (200, json!(true)), "no news");
    assert_eq!(put(&client, &said(5, "Paused", 0)), (202, json!(false)), "nobody is there to take it");
    assert_eq!(put(&client, &said(4, "Recording", 0)).0, 409);
    publisher.kill9();
    let _publisher = pod.publisher();
    assert_eq!(put(&client, &said(4, "Recording", 0)).0, 409);
    assert_eq!(claim.dir().intent().unwrap().unwrap().state, IntentState::Paused);
    let edge = RecorderEvent::Edge {
        by: By::Intent,
        state: Some(IntentState::Paused),
        reload: false,
        told: claim.dir().intent().unwrap(),
    };
    run.append(edge).unwrap();
    assert_eq!(put(&client, &said(5, "Paused", 0)), (200, json!(true)), "journaled");
}

#[test]
fn one_client_cannot_keep_the_others_out() {
    let claim = Claim::new();
    let pod = pod(&claim);
    let _publisher = pod.publisher();
    let client = pod.client();
    let streams: Vec<_> = (0..8).map(|_| client.events("")).collect();
    assert_eq!(client.get("/v1/events").status, 503);
    assert_eq!(client.put("/v1/intent", &said(3, "Recording", 0)).status, 200);
    drop(streams);
    let began = Instant::now();
    while client.get("/v1/intent").status != 405 || TcpStream::connect(("127.0.0.1", client.port)).is_err() {
        assert!(began.elapsed() < DEADLINE);
    }
    // A head that never ends is cut off.
    let mut slow = TcpStream::connect(("127.0.0.1", client.port)).unwrap();
    slow.write_all(b"GET /v1/events HTTP/1.1\r\nX: ").unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    let began = Instant::now();
    slow.read_to_end(&mut answer).unwrap();
    assert!((5..15).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    // A head that is too long is refused.
    let mut long = TcpStream::connect(("127.0.0.1", client.port)).unwrap();
    let _ = long.write_all(format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(32 << 10)).as_bytes());
    long.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    let _ = long.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn a_forged_journal_is_passed_on_no_further_than_it_is_true() {
    let claim = Claim::new();
    let run = recorded(&claim);
    let journal = claim.session().join("recorder/runs/1/journal.jsonl");
    let mut file = std::fs::OpenOptions::new().append(true).open(journal).unwrap();
    file.write_all(b"{\"v\":1,\"event\":\"forged\"}\n{\"v\":1}\n").unwrap();
    let pod = pod(&claim);
    let mut publisher = pod.publisher();
    let mut awaiting = pod.awaiting();
    let lines: BTreeSet<String> =
        pod.client().events("").filter_map(|line| Some(line["entry"]["event"].as_str()?.to_owned())).collect();
    assert!(!lines.contains("forged"));
    // There is nothing to be made of it, and that is said.
    assert_eq!(awaiting.end(DEADLINE), 5);
    assert_eq!(claim.result()["result"]["errorCode"], "InternalError");
    publisher.term();
    assert_eq!(publisher.end(DEADLINE), 0);
    drop(run);
}

#[test]
fn a_recording_of_nothing_ends_with_a_result_and_a_callback_that_nobody_takes() {
    let claim = Claim::new();
    let run = recorded(&claim);
    run.append(RecorderEvent::Edge { by: By::Intent, state: Some(IntentState::Stopped), reload: false, told: None })
        .unwrap();
    run.append(RecorderEvent::Stopped { by: By::Intent, video_us: 0 }).unwrap();
    let mut pod = pod(&claim);
    pod.delivery["callback"] = json!({ "url": "http://127.0.0.1:9/callback" });
    let publisher = pod.publisher();
    let mut awaiting = pod.awaiting();
    pods::until(&claim, "second try of the callback", DEADLINE, |folded| {
        folded.published.callback.as_ref().is_some_and(|callback| callback.attempt == 2)
    });
    publisher.kill9();
    let _publisher = pod.publisher();
    assert_eq!(awaiting.end(DEADLINE), 4);
    let tries = std::fs::read_dir(claim.session().join("publisher/runs")).unwrap().flatten();
    let tries: usize = tries
        .map(|run| std::fs::read_to_string(run.path().join("journal.jsonl")).unwrap())
        .map(|journal| journal.matches("callbackTrying").count())
        .sum();
    assert_eq!(tries, 5, "counted on by the second publisher");
    let result = claim.result();
    assert_eq!(result["result"]["errorCode"], "CallbackFailed");
    assert_eq!(result["result"]["videos"], json!([]));
    let message: Value = serde_json::from_slice(&pods::read(&pod.message())).unwrap();
    assert_eq!(message["phase"], "finished");
    println!("    {}", result["result"]["errorMessage"]);
}
