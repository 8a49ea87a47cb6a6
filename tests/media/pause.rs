//! Pauses: one file, cut where it was said, and sound and picture together over all of them.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Checks, Take, judged, seconds};

fn jumps(report: &Value) -> Vec<Value> {
    report["clock"]["discontinuities"].as_array().cloned().unwrap_or_default()
}

/// Sound minus picture of the last stretch between two jumps, less that of the first, in ms.
pub fn offset_change(report: &Value) -> Value {
    let medians = report["av_offset"]["segment_medians_ms"].as_array().cloned().unwrap_or_default();
    let ends = medians.last().and_then(Value::as_f64).zip(medians.first().and_then(Value::as_f64));
    json!(ends.map(|(last, first)| last - first))
}

/// Records the clock page with pauses by `panorec ctl`; what was recorded and what was paused.
fn record_with_pauses(checks: &mut Checks, page: &str, mode: &str, times: usize, pause: f64) -> (Value, Value) {
    let mut take = Take::begin(page, &format!("--pause-mode {mode}"));
    for i in 1..=times {
        sleep(Duration::from_secs(4));
        take.run.ctl("pause");
        take.run.wait_for("paused", i);
        sleep(seconds(pause));
        take.run.ctl("resume");
        take.run.wait_for("resumed", i);
    }
    sleep(Duration::from_secs(4));
    let (ended, report) = take.stop(checks);
    (report, ended.json)
}

#[test]
fn pause_and_resume_give_one_continuous_video() {
    judged(|checks| {
        let (report, json) = record_with_pauses(checks, "clock.html", "cut", 5, 3.0);
        let jumps = jumps(&report);
        let items = json["pauses"]["items"].as_array().cloned().unwrap_or_default();
        checks.that("five cuts", jumps.len() == 5, format!("{jumps:?}"));
        checks.that("five pauses listed", items.len() == 5, &json["pauses"]);
        for (i, (jump, item)) in jumps.iter().zip(&items).enumerate() {
            let wanted = item["seconds"].as_f64().unwrap_or(f64::NAN);
            let cut = json!(jump["clock_jump_ms"].as_f64().unwrap_or(f64::NAN) / 1000.0);
            checks.near(&format!("cut {} in s", i + 1), &cut, wanted, 0.1);
            let place = item["atSeconds"].as_f64().unwrap_or(f64::NAN);
            checks.near(&format!("cut {} at s", i + 1), &jump["video_time"], place, 0.1);
            checks.that("said by", item["by"] == "intent", &item["by"]);
            checks.near("pause as long as was waited, in s", &item["seconds"], 3.0, 0.5);
        }
        // What the clock ran through, less what is cut out, is the length.
        let clock = &report["clock"];
        let ran = clock["last_ms"].as_f64().zip(clock["first_ms"].as_f64()).map(|(l, f)| (l - f) / 1000.0);
        let paused: f64 = items.iter().filter_map(|item| item["seconds"].as_f64()).sum();
        let recorded = ran.unwrap_or(f64::NAN) - paused;
        checks.near("length in s", &report["duration_s"]["container"], recorded, 0.2);
        checks.near("offset after the last cut against the first, in ms", &offset_change(&report), 0.0, 10.0);
        checks.that("no holes in the sound", report["audio"]["packet_gaps"] == json!([]), &report["audio"]);
    });
}

#[test]
fn a_freeze_pause_holds_the_last_picture_in_silence() {
    judged(|checks| {
        let (report, json) = record_with_pauses(checks, "clock.html", "freeze", 1, 3.0);
        let still = &report["clock"]["longest_freeze_ms"];
        let paused = json["pauses"]["items"][0]["seconds"].as_f64().unwrap_or(f64::NAN);
        checks.near("picture stands for ms", still, paused * 1000.0, 150.0);
        let silences = report["audio"]["silences"].as_array().cloned().unwrap_or_default();
        let longest = silences.iter().filter_map(|one| one["ms"].as_f64()).fold(0.0, f64::max);
        checks.near("silence in ms", &json!(longest), paused * 1000.0, 150.0);
        checks.that("no cut", jumps(&report).is_empty(), format!("{:?}", jumps(&report)));
    });
}

#[test]
fn a_black_pause_is_black() {
    judged(|checks| {
        let (report, json) = record_with_pauses(checks, "clock.html", "black", 1, 3.0);
        let paused = json["pauses"]["items"][0]["seconds"].as_f64().unwrap_or(f64::NAN);
        checks.near("time without a reading, in ms", &report["clock"]["longest_freeze_ms"], paused * 1000.0, 200.0);
        checks.at_least("black share", &report["picture"]["black_share"], 0.005);
    });
}

#[test]
fn saying_pause_twice_is_one_pause() {
    judged(|checks| {
        let take = Take::begin("clock.html", "");
        sleep(Duration::from_secs(2));
        for word in ["pause", "pause", "resume", "resume"] {
            take.run.ctl(word);
            sleep(Duration::from_millis(700));
        }
        sleep(Duration::from_secs(2));
        let (ended, report) = take.stop(checks);
        checks.that("one pause", ended.json["pauses"]["count"] == 1, &ended.json["pauses"]);
        let jumps = jumps(&report);
        checks.that("one cut", jumps.len() == 1, format!("{jumps:?}"));
    });
}
