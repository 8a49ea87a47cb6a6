//! The plain API, seen from outside: takes any gateway that records pages of this machine.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, rank};
use crate::conformance::Pages;

/// A recording is at work, or over, within this.
const SOON: Duration = Duration::from_secs(120);
const NOBODY: &str = "/v1/recordings/0d9c7f5e-6a1b-4c3d-9e8f-7a6b5c4d3e2f";

fn small(pages: &Pages) -> Value {
    json!({"RecordURL": pages.page, "Width": 640, "Height": 360, "FrameRate": 15})
}

#[track_caller]
fn get(client: &Client, path: &str) -> Value {
    let answer = client.call("GET", path, b"");
    assert_eq!(answer.status, 200, "{path}: {}", answer.json());
    answer.json()
}

/// Makes one; its path.
#[track_caller]
fn made(client: &Client, data: &Value) -> String {
    let answer = client.call("POST", "/v1/recordings", data.to_string().as_bytes());
    let task = answer.json();
    assert_eq!(answer.status, 201, "{task}");
    let id = task["TaskID"].as_str().unwrap();
    assert!(answer.headers.contains(&format!("\r\nlocation: recordings/{id}\r\n")), "{}", answer.headers);
    format!("/v1/recordings/{id}")
}

#[track_caller]
fn refused(client: &Client, method: &str, path: &str, body: &str, status: u16, code: &str, message: &str) {
    let answer = client.call(method, path, body.as_bytes());
    let error = answer.json();
    assert_eq!((answer.status, &error["ErrorCode"]), (status, &json!(code)), "{method} {path}: {error}");
    assert!(error["ErrorMessage"].as_str().unwrap().starts_with(message), "{error}");
    assert_eq!(error["RequestID"].as_str().map(str::len), Some(36), "{error}");
}

/// What is asked in vain has the words of the Action API, and a status.
pub fn refusals(client: &Client) {
    let taken = json!({"RecordURL": "http://127.0.0.1:9/", "TaskID": "5c1f1f39-50c2-4c35-8fd8-8c2c4a9c8b11"});
    let first = made(client, &taken);
    let vod = r#"{"RecordURL": "http://127.0.0.1:9/", "Output": {"Vod": {}}}"#;
    for (method, path, body, status, code, message) in [
        ("POST", "/v1/recordings", "{", 400, "InvalidParam", "the body must be JSON in UTF-8"),
        ("POST", "/v1/recordings", "[]", 400, "InvalidParam", "the body must be an object"),
        ("POST", "/v1/recordings", "{}", 400, "InvalidParam", "RecordURL is missing"),
        ("POST", "/v1/recordings", &taken.to_string(), 409, "InvalidParam", "create task failed("),
        ("POST", "/v1/recordings", &" ".repeat((1 << 20) + 1), 413, "InvalidParam", "the body must be at most"),
        ("POST", "/v1/recordings", vod, 422, "InternalError", "create task failed(this installation has no"),
        ("GET", "/v1/recordings?Status=done", "", 400, "InvalidParam", "Status must be one of all, running, finished"),
        ("GET", "/v1/recordings?EndTime=today", "", 400, "InvalidParam", "EndTime must be a time in UTC"),
        ("GET", "/v1/recordings?Status=all&Status=all", "", 400, "InvalidParam", "the query has \"Status\" twice"),
        ("GET", NOBODY, "", 404, "InvalidParam", "invalid task id, task not found"),
        ("GET", "/v1/recordings/%00", "", 404, "InvalidParam", "invalid task id, task not found"),
        ("GET", &format!("{NOBODY}/events"), "", 404, "InvalidParam", "invalid task id, task not found"),
        ("POST", &format!("{NOBODY}/delete"), "", 400, "InvalidParam", "an order is one of pause, resume"),
        ("POST", &format!("{NOBODY}/stop"), "", 404, "InvalidParam", "invalid task id, task not found"),
    ] {
        refused(client, method, path, body, status, code, message);
    }
    assert_eq!(client.call("POST", &format!("{first}/stop"), b"").status, 200);
    refused(client, "POST", &format!("{first}/pause"), "", 409, "InvalidStatus", "can't pause a task in status");
    assert_eq!(client.call("DELETE", &first, b"").status, 405);
    assert_eq!(client.call("GET", "/v1/nothing", b"").status, 404);
}

/// A recording from its making to its file, told by events as it goes.
pub fn life(client: &Client, pages: &Pages) {
    let mut data = small(pages);
    data["ClientToken"] = json!("lesson-42-of-class-7");
    data["UserData"] = json!({"lesson": 42});
    let path = made(client, &data);
    assert_eq!(made(client, &data), path, "asked again");
    let mut events = Events::of(client, &path);
    assert_eq!(rank(&events.until("recording")), 1);
    let shown = get(client, &path);
    assert_eq!((&shown["Data"]["RecordURL"], &shown["Data"]["UserData"]), (&data["RecordURL"], &data["UserData"]));
    for (order, status) in
        [("pause", "paused"), ("resume", "recording"), ("refresh", "recording"), ("stop", "canceled")]
    {
        let answer = client.call("POST", &format!("{path}/{order}"), b"");
        assert_eq!((answer.status, &answer.json()["TaskID"]), (200, &shown["TaskID"]), "{order}");
        if order != "refresh" {
            events.until(status);
        }
    }
    let finished = events.until("finished");
    assert!(events.next().is_none(), "there is more after the end");
    let described = get(client, &path);
    assert_eq!(described["Result"], finished["Result"]);
    assert!(described["Result"]["Videos"][0]["FileDuration"].as_f64() > Some(0.1), "{described}");
    // Whoever comes late is told the end alone.
    let mut late = Events::of(client, &path);
    assert_eq!(late.next(), Some(("status".to_owned(), finished)));
    assert_eq!(late.next(), None);
    let listed = get(client, "/v1/recordings?Status=finished");
    let is_it = |task: &&Value| task["TaskID"] == described["TaskID"];
    assert_eq!(listed["Tasks"].as_array().unwrap().iter().filter(is_it).count(), 1, "{listed}");
    assert_eq!(listed["Total"].as_u64(), Some(listed["Tasks"].as_array().unwrap().len() as u64));
}

/// What is served besides: its own description, and figures of what was asked until now.
pub fn around(client: &Client, metrics: &Client) {
    let document = get(client, "/openapi.json");
    assert_eq!(document, serde_json::from_str::<Value>(include_str!("../../docs/openapi.json")).unwrap());
    let text = String::from_utf8(metrics.get("/metrics", "").body).unwrap();
    for line in [
        "panorec_gateway_requests_total{action=\"Start\",outcome=\"ok\"} ",
        "panorec_gateway_requests_total{action=\"Describe\",outcome=\"ok\"} ",
        "panorec_gateway_requests_total{action=\"none\",outcome=\"invalid_param\"} ",
        "panorec_gateway_request_seconds_count ",
        "panorec_gateway_tasks{status=\"finished\"} ",
        "panorec_gateway_event_streams 0",
    ] {
        let found = text.lines().find(|told| told.starts_with(line));
        assert!(found.is_some_and(|told| line.ends_with(" 0") || !told.ends_with(" 0")), "no {line:?} in {text}");
    }
}

/// Server-sent events of a recording, as they come.
pub struct Events {
    lines: std::io::Lines<BufReader<TcpStream>>,
    last: Option<Value>,
}

impl Events {
    #[track_caller]
    pub fn of(client: &Client, path: &str) -> Events {
        let path = format!("{path}/events");
        let stream = client.send("GET", &client.place(&path), &client.headers("GET", &path, b""), b"");
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut head = lines.by_ref().map(Result::unwrap).take_while(|line| !line.is_empty()).collect::<Vec<_>>();
        assert!(head.remove(0).starts_with("HTTP/1.1 200"), "{head:?}");
        assert!(head.iter().any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream")), "{head:?}");
        Events { lines, last: None }
    }

    /// Its name and data; None: the server has ended the stream.
    pub fn next(&mut self) -> Option<(String, Value)> {
        let mut name = None;
        // Chunks have lines of their own, which are none of an event.
        for line in self.lines.by_ref().map(|line| line.expect("an event in time")) {
            if let Some(told) = line.strip_prefix("event: ") {
                name = Some(told.to_owned());
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name.take().expect("a name"), serde_json::from_str(data).unwrap()));
            }
        }
        None
    }

    /// The first event with this status; none before it goes back or says the same as the one before.
    #[track_caller]
    pub fn until(&mut self, status: &str) -> Value {
        loop {
            let (name, described) = self.next().unwrap_or_else(|| panic!("it ended before {status}"));
            assert_eq!(name, "status");
            let before = self.last.replace(described.clone());
            assert!(before.as_ref() != Some(&described), "twice: {described}");
            assert!(before.is_none_or(|before| rank(&before) <= rank(&described)), "it goes back to {described}");
            if described["Status"] == status {
                return described;
            }
            assert!(rank(&described) <= crate::client::rank_of(status), "past {status}: {described}");
        }
    }
}
