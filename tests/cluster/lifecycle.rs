//! Deleting, naming again, publishing again, and what a person is told.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::basics::{condition, length, pages};
use crate::media::checks::Checks;
use crate::support::cluster::get;
use crate::support::{Operator, Space, kubectl_may_fail, wait};

fn gone(space: &Space, name: &str) {
    wait(&format!("{name} to go"), Duration::from_secs(120), || {
        (!kubectl_may_fail(&["get", "recording", name, "-n", &space.name]).status.success()).then_some(())
    });
}

fn nothing_left(checks: &mut Checks, space: &Space) {
    for kind in ["jobs", "pods", "pdb"] {
        let left = wait_for_none(space, kind);
        checks.that(&format!("no {kind} left"), left == 0, left);
    }
}

fn wait_for_none(space: &Space, kind: &str) -> usize {
    for _ in 0..600 {
        if space.get(kind).is_empty() {
            return 0;
        }
        sleep(Duration::from_millis(100));
    }
    space.get(kind).len()
}

#[test]
fn deleting_finishes_the_file_and_leaves_nothing_in_the_cluster() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("delete");
    let _operator = Operator::start(&space, &["--max-recordings", "1"]);
    let recording = space.record("lesson", &server.url("clock.html"), json!({}));
    recording.phase("recording", 60);
    let queued = space.record("queued", &server.url("clock.html"), json!({}));
    queued.now("queued", 30, |object| condition(object, "Scheduled")["reason"] == "Queued");
    queued.delete();
    gone(&space, "queued");
    checks.that("a queued one made nothing", !queued.session().exists(), queued.session().display());
    sleep(Duration::from_secs(3));
    recording.delete();
    gone(&space, "lesson");
    nothing_left(&mut checks, &space);
    let files = recording.output();
    checks.that("its file is finished", files.len() == 1, format!("{files:?}"));
    let seconds = length(&files[0]);
    checks.that("with what was recorded", seconds > 3.0, seconds);
    let first = recording.session();

    // The same name again is another recording.
    let again = space.record("lesson", &server.url("clock.html"), json!({ "maxDurationSeconds": 10 }));
    again.until("there", Duration::from_secs(10), |_| true);
    again.phase("finished", 120);
    checks.that("another folder", again.session() != first, again.session().display());
    checks.that("the first file is as it was", length(&files[0]) == seconds, length(&files[0]));

    // One that is thrown away.
    let discarded = space.record("discarded", &server.url("clock.html"), json!({}));
    discarded.phase("recording", 60);
    discarded.annotate("panorec.dev/discard=true");
    discarded.delete();
    gone(&space, "discarded");
    checks.that("no file of it", !discarded.session().join("publisher/result.json").exists(), "result.json");
    checks.done();
}

#[test]
fn the_same_name_in_two_namespaces_and_a_namespace_that_goes() {
    let mut checks = Checks::default();
    let server = pages();
    let (one, two) = (Space::new("same-one"), Space::new("same-two"));
    let (_first, _second) = (Operator::start(&one, &[]), Operator::start_from_outside(&two, &[]));
    let spec = json!({ "maxDurationSeconds": 10, "width": 640, "height": 360 });
    let a = one.record("lesson", &server.url("clock.html"), spec.clone());
    let b = two.record("lesson", &server.url("clock.html"), spec);
    a.phase("finished", 120);
    b.phase("finished", 120);
    for recording in [&a, &b] {
        let files = recording.output();
        checks.that("a file each", files.len() == 1, format!("{files:?}"));
    }
    checks.that("folders apart", a.session() != b.session(), a.session().display());

    let last = two.record("last", &server.url("clock.html"), json!({}));
    last.phase("recording", 60);
    kubectl_may_fail(&["delete", "namespace", &two.name, "--wait=false"]);
    wait("the namespace to go", Duration::from_secs(180), || {
        (!kubectl_may_fail(&["get", "namespace", &two.name]).status.success()).then_some(())
    });
    let journal = last.session().join("recorder/runs/1/journal.jsonl");
    checks.that("what was recorded is on the volume", journal.exists(), journal.display());
    checks.done();
}

#[test]
fn publishing_again_makes_the_file_anew_without_chrome() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("again");
    let _operator = Operator::start(&space, &[]);
    let recording = space.record("lesson", &server.url("clock.html"), json!({ "maxDurationSeconds": 10 }));
    recording.phase("finished", 120);
    let file = recording.output().remove(0);
    std::fs::remove_file(&file).expect("removed");
    recording.annotate("panorec.dev/republish=once");
    let done = recording.now("published again", 120, |object| object["status"]["republished"] == "once");
    checks.that("the file is back", file.exists(), file.display());
    checks.that("still finished", done["status"]["phase"] == "finished", &done["status"]["phase"]);
    checks.that("succeeded", condition(&done, "Succeeded")["status"] == "True", condition(&done, "Succeeded"));
    let starts = recording.journal().iter().filter(|event| event["event"] == "browserStarted").count();
    checks.that("Chrome started once in all", starts == 1, starts);
    checks.done();
}

#[test]
fn the_janitor_removes_what_nothing_needs() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("janitor");
    let operator = Operator::start(&space, &[]);
    let spec = json!({ "maxDurationSeconds": 10, "width": 320, "height": 180, "frameRate": 10 });
    let kept = space.record("kept", &server.url("static.html"), spec.clone());
    let removed = space.record("removed", &server.url("static.html"), spec);
    kept.phase("finished", 120);
    removed.phase("finished", 120);
    removed.delete();
    gone(&space, "removed");
    let running = space.record("running", &server.url("static.html"), json!({}));
    running.phase("recording", 60);
    let clean = || {
        std::process::Command::new(env!("CARGO_BIN_EXE_panorec"))
            .args(["janitor", "--root"])
            .arg(space.folder())
            .args(["--namespace", &space.name, "--keep-finished-seconds", "0", "--keep-unfinished-seconds", "0"])
            .env("KUBECONFIG", operator.kubeconfig())
            .output()
            .expect("the janitor starts")
    };
    let output = clean();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    checks.that("it ends well", output.status.success(), &said);
    checks.that("gone", !removed.session().exists(), removed.session().display());
    checks.that("kept", kept.output().len() == 1, kept.session().display());
    checks.that("left alone", running.session().join("recorder/request.json").exists(), running.session().display());
    running.annotate("panorec.dev/discard=true");
    running.delete();
    gone(&space, "running");
    wait("its pod to go", Duration::from_secs(120), || running.pods().is_empty().then_some(()));
    let said = String::from_utf8_lossy(&clean().stdout).into_owned();
    checks.that("a discarded one goes", !running.session().exists(), said);
    checks.done();
}

/// kstatus of an object, as sigs.k8s.io/cli-utils computes it for custom resources.
fn kstatus(object: &Value) -> &'static str {
    let generation = &object["metadata"]["generation"];
    let observed = &object["status"]["observedGeneration"];
    let is = |kind: &str, status: &str| condition(object, kind)["status"] == status;
    if observed.is_number() && observed != generation || is("Reconciling", "True") {
        "InProgress"
    } else if is("Stalled", "True") {
        "Failed"
    } else if is("Ready", "False") || is("Ready", "Unknown") {
        "InProgress"
    } else {
        "Current"
    }
}

#[test]
fn helm_and_kstatus_tell_running_done_and_failed_apart() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("helm");
    let _operator = Operator::start(&space, &[]);
    let chart = |name: &str, url: &str| {
        let folder = space.folder().join(format!("chart-{name}"));
        std::fs::create_dir_all(folder.join("templates")).expect("a chart");
        std::fs::write(folder.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n"))
            .expect("a chart");
        let recording = space.recording(name, url, json!({ "maxDurationSeconds": 10 }));
        std::fs::write(folder.join("templates/recording.yaml"), recording.to_string()).expect("a chart");
        folder
    };
    let install = |name: &str, url: &str| {
        std::process::Command::new("helm")
            .args(["install", name, "--namespace", &space.name, "--wait", "--timeout", "120s"])
            .arg(chart(name, url))
            .output()
            .expect("helm starts")
    };
    let (good_url, bad_url) = (server.url("clock.html"), server.url("status/404"));
    std::thread::scope(|scope| {
        let good = scope.spawn(|| install("good", &good_url));
        let running = wait("it to record", Duration::from_secs(60), || {
            let all = get(&["recordings", "-n", &space.name]);
            all["items"].as_array()?.iter().find(|one| one["status"]["phase"] == "recording").cloned()
        });
        checks.that("a running one is in progress", kstatus(&running) == "InProgress", kstatus(&running));
        checks.that("helm still waits", !good.is_finished(), "helm install --wait");
        let good = good.join().expect("no panic");
        let said = String::from_utf8_lossy(&good.stderr).into_owned();
        checks.that("helm is content with one that is done", good.status.success(), said);
    });
    let done = get(&["recording", "good", "-n", &space.name]);
    checks.that("a finished one is current", kstatus(&done) == "Current", kstatus(&done));
    let bad = install("bad", &bad_url);
    let said = String::from_utf8_lossy(&bad.stderr).into_owned();
    checks.that("helm says that one failed", !bad.status.success(), said.lines().last().unwrap_or_default());
    let failed = get(&["recording", "bad", "-n", &space.name]);
    checks.that("a failed one is failed", kstatus(&failed) == "Failed", kstatus(&failed));
    checks.done();
}

#[test]
fn what_is_missing_is_said() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("missing");
    let url = server.url("static.html");
    let reason = |args: &[&str], name: &str, reason: &str, checks: &mut Checks| {
        let _operator = Operator::start(&space, args);
        let recording = space.record(name, &url, json!({}));
        let seen = recording.now(reason, 90, |object| condition(object, "Scheduled")["reason"] == reason);
        let message = condition(&seen, "Scheduled")["message"].as_str().unwrap_or_default().to_owned();
        checks.that(reason, message.len() > 20, &message);
        checks.that(
            "and in the status' message",
            seen["status"]["message"] == message.as_str(),
            &seen["status"]["message"],
        );
        recording.annotate("panorec.dev/discard=true");
        recording.delete();
        gone(&space, name);
    };
    reason(&["--claim", "nowhere"], "claim", "ClaimMissing", &mut checks);
    reason(&["--seccomp", "no-such-profile.json"], "profile", "SeccompProfileMissing", &mut checks);
    reason(&["--image", "localhost/no-such-image:test"], "image", "ImageMissing", &mut checks);
    checks.done();
}

#[test]
fn the_spec_that_cannot_be_followed_names_its_field() {
    let mut checks = Checks::default();
    let space = Space::new("rejected");
    let _operator = Operator::start(&space, &[]);
    let spec = json!({ "output": { "video": { "codec": "H264", "crf": 60 } } });
    let recording = space.record("lesson", "https://school.example/", spec);
    let seen = recording.now("rejected", 30, |object| condition(object, "Accepted")["status"] == "False");
    let message = condition(&seen, "Accepted")["message"].as_str().unwrap_or_default();
    checks.that("it names the field", message.starts_with("spec.output.video.crf:"), message);
    checks.that("nothing was made", space.get("jobs").is_empty(), "jobs");
    recording.delete();
    gone(&space, "lesson");
    checks.done();
}

#[test]
fn a_restricted_namespace_takes_the_pod_and_chrome_has_its_sandbox() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("restricted");
    let labels = get(&["namespace", &space.name])["metadata"]["labels"].clone();
    checks.that("restricted", labels["pod-security.kubernetes.io/enforce"] == "restricted", &labels);
    let _operator = Operator::start(&space, &[]);
    let recording = space.record("lesson", &server.url("static.html"), json!({ "maxDurationSeconds": 10 }));
    let (_, finished) = recording.phase("finished", 120);
    checks.that("sandboxed", finished["status"]["recorder"]["sandboxed"] == true, &finished["status"]["recorder"]);
    checks.done();
}

#[test]
fn without_a_profile_it_says_that_there_is_no_sandbox() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("nosandbox");
    let _operator = Operator::start(&space, &["--seccomp", "runtime-default"]);
    let recording = space.record("lesson", &server.url("static.html"), json!({}));
    let (_, finished) = recording.phase("finished", 120);
    let succeeded = condition(&finished, "Succeeded");
    checks.that("no sandbox", succeeded["status"] == "False" && succeeded["reason"] == "NoSandbox", succeeded);
    checks.done();
}

#[test]
fn the_examples_become_videos() {
    let mut checks = Checks::default();
    let answers: std::collections::HashMap<String, crate::media::server::Answer> = std::collections::HashMap::from([(
        "/callback".to_owned(),
        Box::new(|_: &[u8]| (200u16, Vec::<u8>::new())) as _,
    )]);
    let server = crate::media::Server::on(&crate::support::cluster::pages_host(), None, answers);
    let space = Space::new("examples");
    let _operator = Operator::start(&space, &[]);
    space.kubectl(&[
        "create",
        "secret",
        "generic",
        "lesson-key",
        &format!("--from-literal=panorec-hls.key={}", "5e".repeat(16)),
    ]);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("examples")
        .flatten()
        .filter_map(|entry| entry.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    checks.that("all of them", names.len() >= 4, format!("{names:?}"));
    for name in &names {
        let text = std::fs::read_to_string(format!("{}/examples/{name}.yaml", env!("CARGO_MANIFEST_DIR")))
            .expect("an example");
        let page = if name == "manual-start" { "manual.html?startAfter=1000" } else { "clock.html" };
        let text = text
            .replace("https://example.com/", &server.url(page))
            .replace("https://hooks.example.com/recorded", &server.url("callback"))
            .replace("metadata:\n", &format!("metadata:\n  namespace: {}\n", space.name));
        let watched = crate::support::recording::Watched::new(&space, name);
        crate::support::cluster::apply_text(&text);
        watched.phase("recording", 60);
        sleep(Duration::from_secs(8));
        watched.tell(json!({ "state": "Stopped", "revision": 1 }));
        let (_, finished) = watched.phase("finished", 60);
        let succeeded = condition(&finished, "Succeeded");
        checks.that(name, succeeded["status"] == "True" && succeeded["reason"] == "Finished", succeeded);
        let files: Vec<String> =
            watched.output().iter().filter_map(|file| file.file_name()?.to_str().map(str::to_owned)).collect();
        let seconds = finished["status"]["result"]["videos"][0]["durationSeconds"].as_f64().unwrap_or(0.0);
        checks.that("its files", seconds > 6.0 && !files.is_empty(), format!("{seconds:.1} s in {files:?}"));
    }
    checks.done();
}
