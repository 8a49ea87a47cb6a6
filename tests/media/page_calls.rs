//! What the page says of its own recording, and what is said to the page.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::record;
use crate::support::{Panorec, Run, Scratch, Server, Take, judged, measure, seconds};

fn moment(json: &Value, name: &str) -> f64 {
    let text = json[name].as_str().unwrap_or_else(|| panic!("no {name} in {json}"));
    let moment: jiff::Timestamp = text.parse().expect("RFC 3339");
    moment.as_millisecond() as f64 / 1000.0
}

/// Writes the told intent as `panorec ctl` and the operator do: whole, by rename.
fn tell(run: &Run, intent: &str) {
    let file = run.session().join("publisher/intent.json");
    let next = file.with_extension("next");
    std::fs::write(&next, intent).expect("the intent");
    std::fs::rename(&next, &file).expect("the intent in its place");
}

#[test]
fn a_manual_start_begins_with_the_page_at_its_call() {
    judged(|checks| {
        let page = "manual.html?startAfter=3000";
        let (ended, report) = record(checks, page, 4.0, "--start manual --start-timeout 30");
        checks.near("page time of the first frame, in ms", &report["clock"]["first_ms"], 3070.0, 80.0);
        checks.near("length in s", &report["duration_s"]["container"], 4.0, 0.2);
        checks.that("no pauses", ended.json["pauses"]["count"] == 0, &ended.json["pauses"]);
    });
}

#[test]
fn without_a_start_signal_it_ends_in_time_with_code_9() {
    let server = Server::start();
    let scratch = Scratch::new();
    let file = scratch.join("out.mp4");
    let ended = Panorec::record(&server.url("clock.html"), &file, &scratch)
        .args("--start manual --start-timeout 3")
        .run(seconds(3.0));
    assert_eq!(ended.code, Some(9), "{}", ended.stderr);
    assert!(ended.stderr.contains("startRecord"), "does not say what was waited for: {}", ended.stderr);
    assert!(!file.exists(), "a file without a recording");
}

#[test]
fn a_page_pauses_and_resumes_itself() {
    judged(|checks| {
        let (ended, report) = record(checks, "manual.html?pauseAt=4000&resumeAt=6500", 8.0, "");
        let pauses = &ended.json["pauses"];
        checks.that("one pause", pauses["count"] == 1, pauses);
        let item = &pauses["items"][0];
        checks.that("by the page", item["by"] == "page", &item["by"]);
        checks.near("pause in s", &item["seconds"], 2.5, 0.2);
        let jump = &report["clock"]["discontinuities"][0]["clock_jump_ms"];
        checks.near("cut in ms", jump, 2500.0, 150.0);
        checks.near("length in s", &report["duration_s"]["container"], 8.0, 0.2);
    });
}

#[test]
fn only_a_higher_revision_wakes_a_recording_that_the_page_paused() {
    judged(|checks| {
        let server = Server::start();
        let scratch = Scratch::new();
        let file = scratch.join("out.mp4");
        let url = server.url("manual.html?pauseAt=3000");
        let mut run = Panorec::record(&url, &file, &scratch).spawn();
        let paused = run.wait_for("paused", 1);
        checks.that("paused by the page", paused["by"] == "page", &paused);
        // Saying again what was said before is no news: the same revision wakes nothing.
        tell(&run, r#"{"state":"Recording","refresh":0,"revision":0}"#);
        sleep(Duration::from_millis(1500));
        let resumed = |run: &Run| run.events().iter().any(|event| event["event"] == "resumed");
        checks.that("the same revision does not resume", !resumed(&run), resumed(&run));
        // A reload is a told intent too, but says nothing new of the state.
        run.ctl("refresh");
        run.wait_for("refreshed", 1);
        sleep(Duration::from_secs(1));
        checks.that("a refresh alone does not resume", !resumed(&run), resumed(&run));
        run.ctl("resume");
        run.wait_for("resumed", 1);
        sleep(Duration::from_secs(2));
        run.ctl("stop");
        let ended = run.end(Duration::ZERO);
        ended.assert_done();
        checks.loaded(&ended.load);
        checks.that("one pause", ended.json["pauses"]["count"] == 1, &ended.json["pauses"]);
        checks.at_least("length in s", &measure(&file)["duration_s"]["container"], 3.0);
    });
}

#[test]
fn a_refresh_reloads_the_page_and_the_recording_goes_on() {
    judged(|checks| {
        let mut take = Take::begin("counter.html?wall=1", "");
        sleep(Duration::from_secs(4));
        take.run.ctl("refresh");
        take.run.wait_for("refreshed", 1);
        sleep(Duration::from_secs(5));
        let (ended, report) = take.stop(checks);
        let loads = report["loads"].as_array().cloned().unwrap_or_default();
        let counts: Vec<&Value> = loads.iter().map(|load| &load["tab"]).collect();
        checks.that("loaded twice", counts == [&json!(1), &json!(2)], &report["loads"]);
        checks.that("no gap", ended.json["gaps"]["count"] == 0, &ended.json["gaps"]);
        // A new document may take a refresh or two more or less to be shown than the old one did.
        let jumps = report["clock"]["discontinuities"].as_array().cloned().unwrap_or_default();
        let widest = jumps.iter().filter_map(|jump| jump["clock_jump_ms"].as_f64()).map(f64::abs).fold(0.0, f64::max);
        checks.at_most("widest jump in ms", &json!(widest), 100.0);
    });
}

#[test]
fn a_refresh_that_fails_is_tried_again_and_the_hole_is_listed() {
    judged(|checks| {
        let mut take = Take::begin("fails?at=2&wall=1", "");
        sleep(Duration::from_secs(3));
        take.run.ctl("refresh");
        let failed = take.run.wait_for("pageFailed", 1);
        checks.that("says why", failed["reason"].as_str().is_some_and(|why| why.contains("503")), &failed);
        take.run.wait_for("gapEnded", 1);
        sleep(Duration::from_secs(3));
        let (ended, report) = take.stop(checks);
        let gaps = &ended.json["gaps"];
        checks.that("one gap", gaps["count"] == 1 && gaps["items"][0]["cause"] == "pageLost", gaps);
        checks.at_least("length in s", &report["duration_s"]["container"], 5.0);
    });
}

#[test]
fn the_time_limit_counts_from_the_start_of_the_recorder() {
    judged(|checks| {
        let server = Server::start();
        let scratch = Scratch::new();
        let file = scratch.join("out.mp4");
        let ended =
            Panorec::record(&server.url("clock.html"), &file, &scratch).args("--max-duration 5").run(seconds(5.0));
        // A machine that takes all of the five seconds to start has nothing to show.
        checks.loaded(&ended.load);
        ended.assert_done();
        let took = moment(&ended.json, "cancelTime") - moment(&ended.json, "createTime");
        checks.near("cancelTime after createTime, in s", &json!(took), 5.0, 0.2);
        checks.that("the file", file.is_file(), file.display());
    });
}
