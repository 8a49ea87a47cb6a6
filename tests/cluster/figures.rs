//! Figures that are taken once, not in each run: `make test-cluster ONLY='--ignored NAME'`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::basics::{length, pages};
use crate::media::checks::Checks;
use crate::support::recording::Watched;
use crate::support::{Operator, Space};

fn moment(value: &Value) -> Option<f64> {
    let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(time.as_millisecond() as f64 / 1000.0)
}

/// Seconds since the Recording was applied, by stage. Kubernetes' own times have whole seconds.
fn stages(recording: &Watched, applied: f64) -> Vec<(&'static str, f64)> {
    let pod = recording.pods().remove(0);
    let job = recording.jobs().remove(0);
    let scheduled = pod["status"]["conditions"].as_array().and_then(|all| {
        all.iter().find(|one| one["type"] == "PodScheduled").and_then(|one| moment(&one["lastTransitionTime"]))
    });
    let started = pod["status"]["initContainerStatuses"].as_array().and_then(|all| {
        let recorder = all.iter().find(|one| one["name"] == "recorder")?;
        moment(&recorder["state"]["running"]["startedAt"])
    });
    let event = |name: &str| {
        let events = recording.journal();
        events.iter().find(|event| event["event"] == name).and_then(|event| moment(&event["at"]["wall"]))
    };
    let all = [
        ("Job made", moment(&job["metadata"]["creationTimestamp"])),
        ("scheduled", scheduled),
        ("containers started", started),
        ("recorder's run", event("runStarted")),
        ("Chrome up", event("browserStarted")),
        ("page loaded", event("pageLoaded")),
        ("first frame", event("partOpened")),
    ];
    all.into_iter().filter_map(|(name, at)| Some((name, at? - applied))).collect()
}

#[test]
#[ignore = "takes long: run once for its figure"]
fn how_long_a_start_takes() {
    let server = pages();
    let space = Space::new("starts");
    let _operator = Operator::start(&space, &[]);
    let mut runs: Vec<Vec<(&'static str, f64)>> = Vec::new();
    for n in 0..10 {
        let applied = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
        let recording =
            space.record(&format!("lesson-{n}"), &server.url("clock.html"), json!({ "maxDurationSeconds": 600 }));
        recording.event("partOpened", 1, 120);
        runs.push(stages(&recording, applied));
        recording.tell(json!({ "state": "Stopped", "revision": 1 }));
        recording.phase("finished", 120);
    }
    for (index, (name, _)) in runs[0].iter().enumerate() {
        let mut times: Vec<f64> = runs.iter().filter_map(|run| run.get(index).map(|(_, at)| *at)).collect();
        times.sort_by(f64::total_cmp);
        println!("    {name:20} p50 {:.2} s, p95 {:.2} s", times[times.len() / 2], times[times.len() - 1]);
    }
}

#[test]
#[ignore = "takes long: run once for its figure"]
fn eight_pods_torn_away_in_a_row() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("eight");
    let _operator = Operator::start(&space, &[]);
    let recording = space.record("lesson", &server.url("clock.html"), json!({}));
    recording.phase("recording", 60);
    for n in 1..=8 {
        std::thread::sleep(Duration::from_secs(3));
        let pod = recording.pods().into_iter().find(|pod| pod["status"]["phase"] == "Running").expect("a pod");
        space.kubectl(&[
            "delete",
            "pod",
            pod["metadata"]["name"].as_str().expect("a name"),
            "--grace-period=0",
            "--force",
        ]);
        recording.event("gapEnded", n, 700);
    }
    std::thread::sleep(Duration::from_secs(3));
    recording.tell(json!({ "state": "Stopped", "revision": 1 }));
    let (_, finished) = recording.phase("finished", 120);
    let gaps = &finished["status"]["gaps"];
    println!("    gaps: {}", gaps["items"]);
    checks.that("eight gaps", gaps["count"] == 8, &gaps["count"]);
    let files = recording.output();
    checks.that("one file", files.len() == 1, format!("{files:?}"));
    println!("    {:.1} s of video", length(&files[0]));
    checks.done();
}
