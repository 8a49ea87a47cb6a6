//! Children that die: the recording goes on, and the hole is listed.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::pause::offset_change;
use crate::support::{Kind, Panorec, Scratch, Server, judged, measure, measure::complaints};

/// Seconds of clock that the file lacks, and seconds of silence in it.
fn lost(report: &Value) -> (f64, f64) {
    let sum = |list: &Value, name: &str| -> f64 {
        let items = list.as_array().cloned().unwrap_or_default();
        items.iter().filter_map(|item| item[name].as_f64()).sum::<f64>() / 1000.0
    };
    let jumps = sum(&report["clock"]["discontinuities"], "clock_jump_ms");
    (jumps, sum(&report["audio"]["silences"], "ms"))
}

/// A process that is halted lives, but does nothing: it is found out, ended and replaced.
fn outlives_halted(kind: Kind, cause: &str, figure: Duration) {
    judged(|checks| {
        let server = Server::start();
        let scratch = Scratch::new();
        let file = scratch.join("out.mp4");
        let mut run = Panorec::record(&server.url("clock.html?wall=1"), &file, &scratch).spawn();
        run.wait_recording();
        sleep(Duration::from_secs(3));
        let victim = run.find(kind).expect("among the children");
        // SAFETY: plain system call on a process of this test.
        unsafe { libc::kill(victim.pid, libc::SIGSTOP) };
        let halted = Instant::now();
        run.wait_for("gapEnded", 1);
        checks.soon("going on after", halted.elapsed(), figure);
        sleep(Duration::from_secs(3));
        run.ctl("stop");
        let ended = run.end(Duration::ZERO);
        ended.assert_done();
        checks.loaded(&ended.load);
        let gaps = &ended.json["gaps"];
        checks.that("one gap and its cause", gaps["count"] == 1 && gaps["items"][0]["cause"] == cause, gaps);
        checks.at_least("length in s", &measure(&file)["duration_s"]["container"], 5.5);
        let complaints = complaints(&file);
        checks.that("plays through", complaints.is_empty(), complaints);
    });
}

#[test]
fn a_halted_sound_daemon_is_replaced() {
    outlives_halted(Kind::Sound, "soundDied", Duration::from_secs(9));
}

#[test]
fn a_halted_encoder_is_replaced() {
    outlives_halted(Kind::Encoder, "encoderDied", Duration::from_secs(7));
}

#[test]
fn a_halted_browser_is_replaced() {
    outlives_halted(Kind::Browser, "pageHung", Duration::from_secs(32));
}

fn survives(kind: Kind, cause: &str) {
    judged(|checks| {
        let server = Server::start();
        let scratch = Scratch::new();
        let file = scratch.join("out.mp4");
        let mut run = Panorec::record(&server.url("clock.html?wall=1"), &file, &scratch).spawn();
        run.wait_recording();
        sleep(Duration::from_secs(6));
        run.kill9(kind);
        let killed = Instant::now();
        run.wait_for("gapEnded", 1);
        checks.soon("going on after", killed.elapsed(), Duration::from_secs(3));
        sleep(Duration::from_secs(6));
        run.ctl("stop");
        let ended = run.end(Duration::ZERO);
        ended.assert_done();
        checks.loaded(&ended.load);
        let report = measure(&file);
        let gaps = &ended.json["gaps"];
        checks.that("one gap", gaps["count"] == 1, gaps);
        let gap = &gaps["items"][0];
        checks.that("its cause", gap["cause"] == cause, &gap["cause"]);
        let (cut, silent) = lost(&report);
        let listed = gap["lostSeconds"].as_f64().unwrap_or(f64::NAN);
        // Without sound the picture may go on, and the hole is silence instead of a cut.
        let found = if kind == Kind::Sound { cut.max(silent) } else { cut };
        checks.near("hole found against the one listed, in s", &json!(found), listed, 0.3);
        checks.at_least("length in s", &report["duration_s"]["container"], 11.0);
        checks.near("offset after it against before, in ms", &offset_change(&report), 0.0, 15.0);
        let complaints = complaints(&file);
        checks.that("plays through", complaints.is_empty(), complaints);
    });
}

#[test]
fn a_killed_browser_leaves_a_gap_and_the_recording_goes_on() {
    survives(Kind::Browser, "browserDied");
}

#[test]
fn a_killed_renderer_leaves_a_gap_and_the_recording_goes_on() {
    survives(Kind::Renderer, "rendererDied");
}

#[test]
fn a_killed_display_leaves_a_gap_and_the_recording_goes_on() {
    survives(Kind::Display, "displayDied");
}

#[test]
fn a_killed_sound_daemon_leaves_a_gap_and_the_recording_goes_on() {
    survives(Kind::Sound, "soundDied");
}

#[test]
fn a_killed_encoder_leaves_a_gap_and_the_recording_goes_on() {
    survives(Kind::Encoder, "encoderDied");
}
