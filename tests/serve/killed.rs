//! What ends a gateway: a kill, a signal, a client that goes away. The next one goes on.

use std::collections::HashMap;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::place::{DEADLINE, Place, end, until_said};
use crate::support::server::Answer;
use crate::support::{Server, measure::complaints};

fn small(url: &str) -> Value {
    json!({"RecordURL": url, "Width": 640, "Height": 360, "FrameRate": 15})
}

#[test]
fn killed_while_three_record_the_next_one_goes_on_and_tells_once() {
    let answers = (1..=3).map(|n| {
        let took_it: Answer = Box::new(|_| (204, Vec::new()));
        (format!("/callback/{n}"), took_it)
    });
    let server = Server::with(None, answers.collect::<HashMap<_, _>>());
    let place = Place::new(&["--max-recordings", "3"]);
    let mut run = place.serve();
    let client = place.client();
    let tasks: Vec<String> = (1..=3)
        .map(|n| {
            let mut data = small(&server.url("clock.html"));
            data["CallbackURL"] = json!(server.url(&format!("callback/{n}")));
            client.start(data)
        })
        .collect();
    let queued = client.start(small(&server.url("clock.html")));
    let began: Vec<Value> = tasks.iter().map(|task| client.until(task, "recording", DEADLINE)).collect();
    sleep(Duration::from_secs(4));
    assert_eq!(client.describe(&queued)["Status"], "normal", "it waits for its turn");
    run.kill9_panorec();

    let mut next = place.serve();
    for (task, before) in tasks.iter().zip(&began) {
        let described = client.describe(task);
        assert_eq!(described["StartTime"], before["StartTime"], "{described}");
        assert_eq!(described["Status"], "recording", "{described}");
    }
    until_said(&mut next, &tasks, "records");
    sleep(Duration::from_secs(8));
    for task in &tasks {
        client.tell("Stop", task);
    }
    for (n, task) in (1..).zip(&tasks) {
        let finished = client.until(task, "finished", DEADLINE);
        let seconds = finished["Result"]["Videos"][0]["FileDuration"].as_f64().unwrap_or(0.0);
        assert!(seconds > 4.0, "{finished}");
        let result = place.result(task);
        assert_eq!(result["gaps"]["count"], 1, "{result}");
        assert_eq!(result["gaps"]["items"][0]["cause"], "recorderDied", "{result}");
        let name = finished["Result"]["Videos"][0]["Filename"].as_str().unwrap();
        assert_eq!(complaints(&place.data().join(task).join("publisher/output").join(name)), "");
        let path = format!("/callback/{n}");
        assert!(server.posted(&path, DEADLINE).is_some(), "not told");
    }
    client.until(&queued, "recording", DEADLINE);
    end(next);

    // One more life: what was told is not told again, what was finished is described as before.
    let last = place.serve();
    for (n, task) in (1..=3).zip(&tasks) {
        assert_eq!(client.describe(task)["Status"], "finished");
        assert!(server.posted(&format!("/callback/{n}"), Duration::from_secs(1)).is_none(), "told twice");
    }
    client.tell("Stop", &queued);
    client.until(&queued, "finished", DEADLINE);
    assert_eq!(place.result(&queued)["gaps"]["count"], 1);
    end(last);
    drop(run);
}

#[test]
fn a_start_said_again_makes_no_second_recording() {
    let server = Server::start();
    let place = Place::new(&["--max-recordings", "1"]);
    let mut run = place.serve();
    let client = place.client();
    let mut data = small(&server.url("clock.html"));
    data["ClientToken"] = json!("lesson-42");
    let body = json!({"Action": "Start", "Data": data});
    // A client that goes away at once, then the process, then many at the same time.
    drop(client.send("POST", "/record", "Content-Type: application/json\r\n", body.to_string().as_bytes()));
    let task = client.start(data.clone());
    run.kill9_panorec();
    let next = place.serve();
    let tasks: Vec<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| client.start(data.clone()))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(tasks.iter().all(|again| *again == task), "{tasks:?}");
    assert_eq!(client.ask("List", json!({}))["Total"], 1);
    data["ClientToken"] = json!("lesson-43");
    let other = client.start(data);
    assert_ne!(other, task);
    for task in [&task, &other] {
        client.tell("Stop", task);
        client.until(task, "finished", DEADLINE);
    }
    end(next);
    drop(run);
}

#[test]
fn a_signal_leaves_recordings_to_the_next_one_and_a_folder_has_one_owner() {
    let server = Server::start();
    let place = Place::new(&[]);
    let run = place.serve();
    let client = place.client();
    let task = client.start(small(&server.url("clock.html")));
    client.until(&task, "recording", DEADLINE);
    let second = crate::support::Panorec::new("serve").arg("--listen").arg("127.0.0.1:0");
    let second = second.arg("--data").arg(place.data()).run(Duration::ZERO);
    assert_eq!(second.code, Some(2), "{}", second.stderr);
    assert!(second.stderr.contains("another `panorec serve` has the data folder"), "{}", second.stderr);
    sleep(Duration::from_secs(2));
    end(run);

    let mut next = place.serve();
    until_said(&mut next, std::slice::from_ref(&task), "records");
    sleep(Duration::from_secs(5));
    client.tell("Stop", &task);
    let finished = client.until(&task, "finished", DEADLINE);
    assert_eq!(finished["Result"]["Videos"].as_array().map(Vec::len), Some(1), "{finished}");
    end(next);
}
