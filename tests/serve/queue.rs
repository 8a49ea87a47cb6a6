//! Who waits for a turn, and how long finished ones are kept.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::place::{DEADLINE, Place, end};
use crate::rest::Events;
use crate::support::Server;

fn small(url: &str) -> Value {
    json!({"RecordURL": url, "Width": 640, "Height": 360, "FrameRate": 15})
}

#[test]
fn the_oldest_has_the_next_turn_and_orders_count_while_it_waits() {
    let server = Server::start();
    let place = Place::new(&["--max-recordings", "1"]);
    let run = place.serve();
    let client = place.client();
    let [first, second, third] = [(); 3].map(|()| client.start(small(&server.url("clock.html"))));
    client.until(&first, "recording", DEADLINE);
    for (waits, place) in [(&second, 1), (&third, 2)] {
        let described = client.describe(waits);
        assert_eq!((&described["Status"], &described["QueuePosition"]), (&json!("normal"), &json!(place)));
    }
    let listed = client.ask("List", json!({}));
    let mut places: Vec<_> =
        listed["Tasks"].as_array().unwrap().iter().map(|task| task["QueuePosition"].as_u64()).collect();
    places.sort();
    assert_eq!(places, [None, Some(1), Some(2)], "{listed}");
    let fourth = client.start(small(&server.url("clock.html")));
    let mut events = Events::of(&client, &format!("/v1/recordings/{fourth}"));
    assert_eq!(events.next().unwrap().1["QueuePosition"], 3);
    client.tell("Pause", &second);
    assert_eq!(client.describe(&second)["Status"], "paused");
    client.tell("Resume", &second);
    let resumed = client.describe(&second);
    assert!(resumed["Status"] == "recording" && resumed.get("StartTime").is_none(), "{resumed}");
    client.tell("Stop", &third);
    let over = client.until(&third, "finished", DEADLINE);
    assert_eq!(over["Result"], json!({"Videos": []}), "it needs no turn to end: {over}");
    assert_eq!(events.next().unwrap().1["QueuePosition"], 2, "one less is before it");
    client.tell("Stop", &fourth);
    assert_eq!(client.describe(&first)["Status"], "recording");

    client.tell("Stop", &first);
    client.until(&first, "finished", DEADLINE);
    let until = Instant::now() + DEADLINE;
    while client.describe(&second).get("StartTime").is_none() {
        assert!(Instant::now() < until, "the second does not begin");
        std::thread::sleep(Duration::from_millis(50));
    }
    client.tell("Stop", &second);
    client.until(&second, "finished", DEADLINE);
    end(run);
}

#[test]
fn finished_recordings_are_removed_in_time() {
    let server = Server::start();
    let place = Place::new(&["--keep", "3s"]);
    let run = place.serve();
    let client = place.client();
    let task = client.start(small(&server.url("clock.html")));
    client.tell("Stop", &task);
    client.until(&task, "finished", DEADLINE);
    let until = Instant::now() + DEADLINE;
    while client.describe(&task)["ErrorMessage"] != "invalid task id, task not found" {
        assert!(Instant::now() < until, "it is still there");
        std::thread::sleep(Duration::from_millis(100));
    }
    while place.data().join(&task).exists() {
        assert!(Instant::now() < until, "its folder is still there");
        std::thread::sleep(Duration::from_millis(100));
    }
    end(run);
}
