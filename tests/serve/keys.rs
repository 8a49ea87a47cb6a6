//! Keys: who may call, what each may do, and that they change while it runs.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::place::{DEADLINE, Place, end};
use crate::rest::Events;
use crate::support::{Scratch, Server};

#[test]
fn a_signature_is_good_twice_unless_replays_are_refused() {
    let scratch = Scratch::new();
    let file = scratch.join("keys.json");
    std::fs::write(&file, r#"{"keys": [{"id": "one", "secret": "s1"}]}"#).unwrap();
    let keys = ["--keys", file.to_str().unwrap()];
    for refuse in [&[][..], &["--refuse-replays"]] {
        let place = Place::new(&[&keys[..], refuse].concat());
        let run = place.serve();
        let client = place.client().signing("one", "s1");
        let body = json!({"Action": "List"}).to_string().into_bytes();
        let headers = client.headers("POST", "/record", &body);
        let asked = || client.request("POST", &client.path, &headers, &body);
        let (first, second) = (asked(), asked());
        assert_eq!((first.status, &first.json()["Total"]), (200, &json!(0)));
        if refuse.is_empty() {
            assert_eq!((second.status, &second.json()["Total"]), (200, &json!(0)));
        } else {
            let message = "HMAC signature cannot be verified, it has been used before.";
            assert_eq!((second.status, second.json()), (401, json!({"message": message})));
            let other = client.ask("Describe", json!({}));
            assert_eq!(other["ErrorMessage"], "TaskID is missing", "the next one is let in");
        }
        end(run);
    }
}

#[test]
fn keys_say_who_may_call_and_how_many_tasks_each_has() {
    let server = Server::start();
    let scratch = Scratch::new();
    let file = scratch.join("keys.json");
    let keys = |more: &str| {
        let text = format!(
            r#"{{"keys": [{{"id": "one", "secret": "s1", "namespace": "a", "maxConcurrent": 1}},
                         {{"id": "two", "secret": "s2", "namespace": "b"}}{more}]}}"#
        );
        std::fs::write(&file, text).unwrap();
    };
    keys("");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap().to_string();
    let args = ["--path-prefix", "release", "--metrics-listen", &free, "--page-egress", "open"];
    let place = Place::new(&[&["--keys", file.to_str().unwrap()], &args[..]].concat());
    let run = place.serve();
    let nobody = Client { path: "/release/record".to_owned(), ..place.client() };
    assert_eq!(nobody.get("/metrics", "").status, 404, "they have an address of their own");
    assert_eq!(Client::of(free).get("/metrics", "").status, 200);
    let (one, two) = (nobody.signing("one", "s1"), nobody.signing("two", "s2"));
    let refused = |client: &Client, status: u16, message: &str| {
        let answer = client.post(json!({"Action": "List"}).to_string().as_bytes());
        assert_eq!((answer.status, answer.json()), (status, json!({"message": message})));
    };
    refused(&nobody, 401, "HMAC id or signature missing.");
    refused(&nobody.signing("three", "s3"), 401, "HMAC apikey is invalid for API.");
    refused(&nobody.signing("one", "s2"), 401, "HMAC signature does not match.");

    let data = json!({"RecordURL": server.url("clock.html"), "ManualStart": true, "Width": 640, "Height": 360});
    let task = one.start(data.clone());
    let path = format!("/v1/recordings/{task}");
    for (client, path, status) in [
        (&nobody, path.as_str(), 401),
        (&nobody, "/v1/recordings", 401),
        (&one, "/v1/recordings?StartTime=2026-01-01%2000%3A00%3A00&Status=running", 200),
        (&one, &path, 200),
        (&two, &path, 404),
    ] {
        assert_eq!(client.call("GET", path, b"").status, status, "{path}");
    }
    assert_eq!(Events::of(&one, &path).next().unwrap().0, "status");
    assert_eq!(nobody.get(&nobody.place(&format!("{path}/events")), "").status, 401);
    let limited = one.post(json!({"Action": "Start", "Data": data}).to_string().as_bytes());
    assert_eq!((limited.status, limited.json()), (429, json!({"message": "API rate limit exceeded."})));
    assert_eq!(two.describe(&task)["ErrorMessage"], "invalid task id, task not found");
    assert_eq!(two.tell("Stop", &task)["ErrorMessage"], "invalid task id, task not found");
    assert_eq!(
        (one.ask("List", json!({}))["Total"].clone(), two.ask("List", json!({}))["Total"].clone()),
        (json!(1), json!(0))
    );
    one.tell("Stop", &task);
    one.until(&task, "finished", DEADLINE);
    let again = one.start(data);
    one.tell("Stop", &again);
    one.until(&again, "finished", DEADLINE);

    keys(r#", {"id": "three", "secret": "s3"}"#);
    let until = Instant::now() + DEADLINE;
    let list = json!({"Action": "List"}).to_string();
    while nobody.signing("three", "s3").post(list.as_bytes()).status != 200 {
        assert!(Instant::now() < until, "the new key is not known");
        std::thread::sleep(Duration::from_millis(100));
    }
    end(run);
}
