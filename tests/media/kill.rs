//! Children that die: the recording goes on, and the hole is listed.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::pause::offset_change;
use crate::support::{Kind, Take, judged};

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
        let mut take = Take::begin("clock.html?wall=1", "");
        sleep(Duration::from_secs(3));
        let victim = take.run.find(kind).expect("among the children");
        // SAFETY: plain system call on a process of this test.
        unsafe { libc::kill(victim.pid, libc::SIGSTOP) };
        let halted = Instant::now();
        take.run.wait_for("gapEnded", 1);
        checks.soon("going on after", halted.elapsed(), figure);
        sleep(Duration::from_secs(3));
        let (ended, report) = take.stop(checks);
        let gaps = &ended.json["gaps"];
        checks.that("one gap and its cause", gaps["count"] == 1 && gaps["items"][0]["cause"] == cause, gaps);
        checks.at_least("length in s", &report["duration_s"]["container"], 5.5);
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
        let mut take = Take::begin("clock.html?wall=1", "");
        sleep(Duration::from_secs(6));
        take.run.kill9(kind);
        let killed = Instant::now();
        take.run.wait_for("gapEnded", 1);
        checks.soon("going on after", killed.elapsed(), Duration::from_secs(3));
        sleep(Duration::from_secs(6));
        let (ended, report) = take.stop(checks);
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
