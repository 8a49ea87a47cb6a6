//! The recorder itself dies, or is replaced while it lives.

use std::fs::OpenOptions;
use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::support::{Checks, Panorec, Run, Scratch, Server, judged, measure, measure::complaints};

/// What the cells of a page with ?wall=1 show now.
fn wall_ms() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    (now.as_millis() % (1 << 32)) as f64
}

fn count(run: &Run, event: &str) -> usize {
    run.events().iter().filter(|one| one["event"] == event).count()
}

/// One jump over the hole, with what was recorded before `killed_at` still there.
fn judge_hole(checks: &mut Checks, report: &Value, gap: &Value, killed_at: f64) {
    let clock = &report["clock"];
    let jumps = clock["discontinuities"].as_array().cloned().unwrap_or_default();
    checks.that("one jump", jumps.len() == 1, &clock["discontinuities"]);
    let jump = jumps.first().cloned().unwrap_or_default();
    let seconds = json!(jump["clock_jump_ms"].as_f64().map(|ms| ms / 1000.0));
    let listed = gap["lostSeconds"].as_f64().unwrap_or(f64::NAN);
    checks.near("hole found against the one listed, in s", &seconds, listed, 0.3);
    let kept_until = clock["first_ms"].as_f64().zip(jump["video_time"].as_f64()).map(|(f, at)| f + at * 1000.0);
    let lost = json!(kept_until.map(|until| (killed_at - until) / 1000.0));
    checks.at_most("lost of what was recorded, in s", &lost, 1.1);
}

fn killed_and_resumed(page: &'static str, judge: impl Fn(&mut Checks, &Value, &Value, f64)) {
    judged(|checks| {
        let server = Server::start();
        let scratch = Scratch::new();
        let file = scratch.join("out.mp4");
        let mut first = Panorec::record(&server.url(page), &file, &scratch).spawn();
        first.wait_recording();
        sleep(Duration::from_secs(6));
        first.kill9_panorec();
        let killed_at = wall_ms();
        let began = Instant::now();
        let left = first.wait_gone(Duration::from_secs(15));
        checks.that("nobody left behind", left.is_ok(), format!("{left:?}"));
        checks.soon("children gone after", began.elapsed(), Duration::from_secs(2));
        let journal = first.session().join("recorder/runs/1/journal.jsonl");
        let mut journal = OpenOptions::new().append(true).open(journal).expect("the journal");
        journal.write_all(b"{\"v\":1,\"at\":{\"wa").expect("a torn line");
        let mut second = Panorec::resume(first.session()).spawn();
        second.wait_for("partOpened", 2);
        sleep(Duration::from_secs(5));
        second.ctl("stop");
        let ended = second.end(Duration::ZERO);
        ended.assert_done();
        checks.loaded(&ended.load);
        let gaps = &ended.json["gaps"];
        checks.that("one gap", gaps["count"] == 1, gaps);
        checks.that("its cause", gaps["items"][0]["cause"] == "recorderDied", &gaps["items"]);
        let report = measure(&file);
        let complaints = complaints(&file);
        checks.that("plays through", complaints.is_empty(), complaints);
        judge(checks, &report, &gaps["items"][0], killed_at);
    });
}

#[test]
fn a_killed_recorder_is_resumed_and_all_but_the_last_second_is_there() {
    killed_and_resumed("clock.html?wall=1", judge_hole);
}

#[test]
fn on_a_still_page_too_all_but_the_last_second_is_there() {
    killed_and_resumed("static.html", |checks, report, _, _| {
        // 6 s less at most one, and 5 s of the second life.
        checks.at_least("length in s", &report["duration_s"]["container"], 9.9);
    });
}

#[test]
fn a_recording_killed_while_paused_films_nothing_until_told() {
    judged(|checks| {
        let server = Server::start();
        let scratch = Scratch::new();
        let file = scratch.join("out.mp4");
        let url = server.url("clock.html?wall=1");
        let mut first = Panorec::record(&url, &file, &scratch).spawn();
        first.wait_recording();
        sleep(Duration::from_secs(4));
        first.ctl("pause");
        first.wait_for("paused", 1);
        first.kill9_panorec();
        let left = first.wait_gone(Duration::from_secs(15));
        checks.that("nobody left behind", left.is_ok(), format!("{left:?}"));
        let mut second = Panorec::resume(first.session()).spawn();
        second.wait_for("runStarted", 2);
        sleep(Duration::from_secs(6));
        checks.that("films nothing", count(&second, "partOpened") == 1, count(&second, "partOpened"));
        let told_at = wall_ms();
        second.ctl("resume");
        second.wait_for("partOpened", 2);
        sleep(Duration::from_secs(4));
        second.ctl("stop");
        let ended = second.end(Duration::ZERO);
        ended.assert_done();
        checks.loaded(&ended.load);
        let report = measure(&file);
        let jumps = report["clock"]["discontinuities"].as_array().cloned().unwrap_or_default();
        checks.that("one jump", jumps.len() == 1, format!("{jumps:?}"));
        let jump = jumps.first().cloned().unwrap_or_default();
        let first_after = report["clock"]["first_ms"].as_f64().unwrap_or(f64::NAN)
            + jump["video_time"].as_f64().unwrap_or(f64::NAN) * 1000.0
            + jump["clock_jump_ms"].as_f64().unwrap_or(f64::NAN);
        checks.at_least("first frame after it was told, in ms", &json!(first_after - told_at), 0.0);
    });
}

#[test]
fn of_two_recorders_on_one_folder_the_older_stops() {
    judged(|checks| {
        let server = Server::start();
        let scratch = Scratch::new();
        let file = scratch.join("out.mp4");
        let url = server.url("clock.html?wall=1");
        let mut older = Panorec::record(&url, &file, &scratch).spawn();
        older.wait_recording();
        sleep(Duration::from_secs(4));
        let mut newer = Panorec::resume(older.session()).spawn();
        newer.wait_for("runStarted", 2);
        let began = Instant::now();
        let ended = older.end(Duration::ZERO);
        checks.soon("the older ended after", began.elapsed(), Duration::from_secs(2));
        checks.that("and says that it did not finish", ended.code != Some(0), format!("{:?}", ended.code));
        newer.wait_for("partOpened", 2);
        sleep(Duration::from_secs(4));
        newer.ctl("stop");
        let ended = newer.end(Duration::ZERO);
        ended.assert_done();
        checks.loaded(&ended.load);
        let report = measure(&file);
        let jumps = report["clock"]["discontinuities"].as_array().cloned().unwrap_or_default();
        checks.that("one timeline with one hole", jumps.len() == 1, format!("{jumps:?}"));
        checks.that("no way back", report["clock"]["monotonic"] == true, &report["clock"]["monotonic"]);
        checks.that("one gap", ended.json["gaps"]["count"] == 1, &ended.json["gaps"]);
        checks.at_least("length in s", &report["duration_s"]["container"], 7.5);
    });
}
