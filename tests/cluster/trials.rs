//! Pages that ask for much: of memory, of pauses.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::basics::{length, pages};
use crate::media::checks::Checks;
use crate::support::{Operator, Space, wait};

#[test]
fn a_tab_that_eats_memory_costs_a_gap_and_not_the_recording() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("memory");
    let args = ["--recorder-memory-mib", "512", "--recorder-memory-limit-mib", "1536"];
    let _operator = Operator::start(&space, &args);
    let url = server.url("hostile.html?oom=1&startAfter=4000");
    let recording = space.record("lesson", &url, json!({ "maxDurationSeconds": 180, "width": 640, "height": 360 }));
    recording.phase("recording", 60);
    // The renderer ends, or with it its container; the recording goes on after either.
    let gone = wait("something to end", Duration::from_secs(120), || {
        recording
            .journal()
            .into_iter()
            .find(|event| event["event"] == "gapBegan" || (event["event"] == "runStarted" && event["run"] != 1))
    });
    println!("    what ended: {gone}");
    wait("the recording to go on", Duration::from_secs(120), || {
        recording.journal().iter().any(|event| event["event"] == "gapEnded").then_some(())
    });
    sleep(Duration::from_secs(2));
    recording.tell(json!({ "state": "Stopped", "revision": 1 }));
    let (_, finished) = recording.phase("finished", 120);
    let gaps = &finished["status"]["gaps"];
    checks.that("gaps listed", gaps["count"].as_u64() >= Some(1), gaps);
    let files = recording.output();
    checks.that("one file", files.len() == 1, format!("{files:?}"));
    let seconds = length(&files[0]);
    checks.that("the rest is there", seconds >= 4.0, seconds);
    checks.done();
}

#[test]
fn five_hundred_pauses_fit() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("pauses");
    let _operator = Operator::start(&space, &[]);
    let spec = json!({ "width": 320, "height": 180 });
    let recording = space.record("lesson", &server.url("pauses.html?times=100000"), spec);
    recording.phase("recording", 60);
    recording.event("paused", 500, 400);
    recording.tell(json!({ "state": "Stopped", "revision": 1 }));
    let (_, finished) = recording.phase("finished", 120);
    let count = recording.journal().iter().filter(|event| event["event"] == "paused").count();
    let pauses = &finished["status"]["pauses"];
    checks.that("all counted", pauses["count"].as_u64() >= Some(500), format!("{} of {count}", pauses["count"]));
    let items = pauses["items"].as_array().map_or(0, Vec::len);
    checks.that("64 listed", items == 64 && pauses["truncated"] == true, items);
    checks.that("said by the page", pauses["items"][0]["by"] == "page", &pauses["items"][0]);
    let all = recording.result()["pauses"]["items"].as_array().map_or(0, Vec::len);
    checks.that("all of them in result.json", pauses["count"] == all, all);
    let bytes = finished["status"].to_string().len();
    checks.that("a status of at most 32 KiB", bytes <= 32 << 10, bytes);
    let message = wait("the pod's message", Duration::from_secs(30), || {
        let pod = recording.pods().pop()?;
        let statuses = pod["status"]["containerStatuses"].as_array()?.clone();
        statuses.first()?["state"]["terminated"]["message"].as_str().map(str::to_owned)
    });
    checks.that("a termination message of at most 4 KiB", message.len() <= 4096, message.len());
    let told: Value = serde_json::from_str(&message).expect("JSON");
    checks.that("which counts all", told["pauses"]["count"] == all, &told["pauses"]["count"]);
    let writes = crate::support::audit::writes(&space.name);
    // At most one each two seconds, however often the page pauses.
    checks.that("few writes", writes.len() < 120, writes.len());
    checks.done();
}
