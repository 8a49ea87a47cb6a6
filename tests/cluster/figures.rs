//! Figures that are taken once, not in each run: `make test-cluster ONLY='--ignored NAME'`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::basics::{length, pages};
use crate::media::checks::Checks;
use crate::support::cluster::node;
use crate::support::recording::Watched;
use crate::support::{Operator, Space, kubectl_may_fail, wait};

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

/// Removed again, also on failure.
struct SecondNode;

impl Drop for SecondNode {
    fn drop(&mut self) {
        kubectl_may_fail(&["uncordon", "panorec-test"]);
        node("remove-node", "second");
    }
}

#[test]
#[ignore = "takes long and a second node: run once for its figure"]
fn a_lost_node_is_left_and_its_old_recorder_stops_itself() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("nodelost");
    node("add-node", "second");
    let second = SecondNode;
    kubectl_may_fail(&["cordon", "panorec-test"]);
    let _operator = Operator::start_from_outside(&space, &["--node-lost-seconds", "20"]);
    let recording = space.record("lesson", &server.url("clock.html"), json!({}));
    recording.phase("recording", 120);
    kubectl_may_fail(&["uncordon", "panorec-test"]);
    std::thread::sleep(Duration::from_secs(3));
    let old = recording.pods().remove(0);
    checks.that("on the second node", old["spec"]["nodeName"] == "second", &old["spec"]["nodeName"]);
    let began = std::time::Instant::now();
    node("cut", "second");
    recording.event("runStarted", 2, 300);
    recording.event("gapEnded", 1, 60);
    println!("    goes on elsewhere after {:.1} s (20 s of them the setting)", began.elapsed().as_secs_f64());
    let lives = crate::support::pods::runs(&old, "chromium");
    println!("    the old pod's Chrome still runs: {lives}");
    node("uncut", "second");
    wait("the old recorder to stop", Duration::from_secs(120), || {
        (!crate::support::pods::runs(&old, "chromium")).then_some(())
    });
    std::thread::sleep(Duration::from_secs(3));
    recording.tell(json!({ "state": "Stopped", "revision": 1 }));
    let (_, finished) = recording.phase("finished", 120);
    let gaps = &finished["status"]["gaps"];
    checks.that("one gap", gaps["count"] == 1, gaps);
    let files = recording.output();
    checks.that("one file", files.len() == 1, format!("{files:?}"));
    let status = &finished["status"];
    let wall = |name: &str| moment(&status[name]).expect("a time");
    let lost = gaps["totalSeconds"].as_f64().unwrap_or(f64::NAN);
    checks.near(
        "video and gap make the whole, in s",
        &json!(length(&files[0]) + lost),
        wall("stopTime") - wall("startTime"),
        0.5,
    );
    drop(second);
    checks.done();
}

#[test]
#[ignore = "takes long: run once for the table of docs/cluster.md"]
fn what_a_recording_needs() {
    let server = pages();
    let space = Space::new("needs");
    let _operator = Operator::start(&space, &["--recorder-memory-limit-mib", "4096"]);
    for (width, height, rate) in
        [(640, 360, 24), (1280, 720, 24), (1280, 720, 30), (1280, 720, 60), (1920, 1080, 30), (2560, 1440, 30)]
    {
        let name = format!("lesson-{width}-{rate}");
        let spec = json!({ "width": width, "height": height, "frameRate": rate });
        let recording = space.record(&name, &server.url("clock.html"), spec);
        recording.phase("recording", 60);
        std::thread::sleep(Duration::from_secs(5));
        let pod = recording.pods().remove(0);
        let usage = |container: &str| crate::support::pods::usage(&pod, container);
        let before = ["recorder", "publisher", "await"].map(usage);
        std::thread::sleep(Duration::from_secs(20));
        let after = ["recorder", "publisher", "await"].map(usage);
        let cores = |n: usize| (after[n].cpu_seconds - before[n].cpu_seconds) / 20.0;
        println!(
            "    {width}x{height} at {rate}: recorder {:.2} cores, {} MiB; publisher {:.3} cores, {} MiB; await {:.3} cores, {} MiB",
            cores(0),
            after[0].memory_mib,
            cores(1),
            after[1].memory_mib,
            cores(2),
            after[2].memory_mib
        );
        recording.tell(json!({ "state": "Stopped", "revision": 1 }));
        recording.phase("finished", 120);
    }
}
