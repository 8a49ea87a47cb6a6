//! Limits and the queue.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::basics::{condition, pages};
use crate::media::checks::Checks;
use crate::support::cluster::{apply, get};
use crate::support::{Operator, Space, wait};

const COUNT: usize = 12;
const LIMIT: usize = 2;

#[test]
fn twelve_recordings_take_turns_by_two() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("queue");
    let mut items: Vec<Value> = (1..=COUNT)
        .map(|n| {
            let spec = json!({ "maxDurationSeconds": 8, "width": 320, "height": 180, "frameRate": 10 });
            space.recording(&format!("lesson-{n:02}"), &server.url("static.html"), spec)
        })
        .collect();
    // All are there before the operator looks, so the order is by creation time, then UID.
    apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items.split_off(0) })).expect("applied");
    let limit = LIMIT.to_string();
    let _operator = Operator::start(&space, &["--max-recordings", &limit]);
    let began = Instant::now();
    let mut places: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let (mut most, mut late) = (0, 0);
    wait("all to finish", Duration::from_secs(900), || {
        let pods = get(&["pods", "-n", &space.name]);
        let live = |pod: &&Value| matches!(pod["status"]["phase"].as_str(), Some("Pending" | "Running"));
        let recordings = get(&["recordings", "-n", &space.name]);
        let recordings = recordings["items"].as_array().cloned().unwrap_or_default();
        let finished = |name: &str| {
            recordings.iter().any(|one| one["metadata"]["name"] == name && one["status"]["phase"] == "finished")
        };
        // A pod of a finished recording only has to go.
        let running = pods["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(live)
            .filter(|pod| !pod["metadata"]["annotations"]["panorec.dev/recording"].as_str().is_some_and(finished));
        most = most.max(running.count());
        for recording in &recordings {
            let name = recording["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            if let Some(place) = recording["status"]["queuePosition"].as_u64() {
                let told = places.entry(name).or_default();
                if told.last() != Some(&place) {
                    told.push(place);
                }
                late += usize::from(recording["status"]["phase"] != "normal");
            }
        }
        let done = recordings.iter().filter(|one| one["status"]["phase"] == "finished").count();
        (done == COUNT).then_some(())
    });
    println!("    all finished after {:.0} s; places told: {places:?}", began.elapsed().as_secs_f64());
    checks.that("never more than the limit", most <= LIMIT, most);
    let falls = places.values().all(|told| told.is_sorted_by(|a, b| a > b));
    checks.that("places fall", falls, format!("{places:?}"));
    checks.that("no place once it records", late == 0, late);
    checks.that("the others were told a place", places.len() >= COUNT - LIMIT - 1, places.len());
    let jobs = space.get("jobs");
    checks.that("one Job each", jobs.len() == COUNT, jobs.len());
    let order: Vec<String> = {
        let mut jobs: Vec<(String, String)> = jobs
            .iter()
            .map(|job| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (text(&job["metadata"]["creationTimestamp"]), text(&job["metadata"]["ownerReferences"][0]["name"]))
            })
            .collect();
        jobs.sort();
        jobs.into_iter().map(|(_, name)| name).collect()
    };
    println!("    order of the Jobs: {order:?}");
    for recording in get(&["recordings", "-n", &space.name])["items"].as_array().into_iter().flatten() {
        let succeeded = condition(recording, "Succeeded");
        checks.that(recording["metadata"]["name"].as_str().unwrap_or("?"), succeeded["status"] == "True", succeeded);
        checks.that("one run", recording["status"]["recorder"]["runs"] == 1, &recording["status"]["recorder"]);
    }
    checks.done();
}

#[test]
fn a_job_for_kueue_waits_suspended_and_is_left_to_it() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("kueue");
    let _operator = Operator::start(&space, &[]);
    let mut recording = space.recording("lesson", &server.url("static.html"), json!({ "maxDurationSeconds": 10 }));
    recording["metadata"]["labels"] = json!({ "kueue.x-k8s.io/queue-name": "lessons" });
    let watched = crate::support::recording::Watched::new(&space, "lesson");
    apply(&recording).expect("applied");
    let suspended =
        watched.now("queued by Kueue", 30, |object| condition(object, "Scheduled")["reason"] == "QueuedByKueue");
    checks.that(
        "not scheduled",
        condition(&suspended, "Scheduled")["status"] == "False",
        condition(&suspended, "Scheduled"),
    );
    let job = watched.jobs().remove(0);
    checks.that(
        "labelled",
        job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "lessons",
        &job["metadata"]["labels"],
    );
    let name = job["metadata"]["name"].as_str().expect("a name");
    // What Kueue does when it admits a Job.
    space.kubectl(&["patch", "job", name, "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#]);
    watched.phase("finished", 120);
    let job = watched.jobs().remove(0);
    checks.that("suspend was left alone", job["spec"]["suspend"] == false, &job["spec"]["suspend"]);
    checks.done();
}
