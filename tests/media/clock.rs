//! The picture: every frame of the page, at the right size, and nothing else.

use serde_json::{Value, json};

use crate::support::{Checks, Ended, Panorec, Scratch, Server, judged, measure_page, seconds};

pub fn edges(checks: &mut Checks, report: &Value) {
    for side in ["top", "right", "bottom", "left"] {
        let edge = &report["edges"][side];
        let fine = edge["present"] == true && edge["lines_beyond_it"] == 0;
        checks.that(&format!("{side} edge"), fine, edge);
    }
}

pub fn size(checks: &mut Checks, report: &Value, width: u32, height: u32) {
    let size = json!([report["width"], report["height"]]);
    checks.that("size", size == json!([width, height]), &size);
}

/// Records a page for some seconds and measures it.
pub fn record(checks: &mut Checks, page: &str, length: f64, args: &str) -> (Ended, Value) {
    let server = Server::start();
    let scratch = Scratch::new();
    let file = scratch.join("out.mp4");
    let ended = Panorec::record(&server.url(page), &file, &scratch)
        .args(&format!("--duration {length} {args}"))
        .run(seconds(length));
    ended.assert_done();
    checks.loaded(&ended.load);
    let rate = args.split("--frame-rate ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    let report = measure_page(&file, None, rate.unwrap_or(30.0));
    (ended, report)
}

#[test]
fn the_clock_page_is_recorded_frame_by_frame() {
    judged(|checks| {
        let (_, report) = record(checks, "clock.html", 15.0, "");
        size(checks, &report, 1280, 720);
        edges(checks, &report);
        let clock = &report["clock"];
        checks.at_least("unique fps", &clock["effective_fps"], 29.5);
        checks.at_most("dropped share", &clock["dropped_share"], 0.01);
        checks.at_most("longest freeze in ms", &clock["longest_freeze_ms"], 100.0);
        checks.near("speed", &clock["speed"], 1.0, 0.002);
        checks.that("no jumps", clock["discontinuities"] == json!([]), &clock["discontinuities"]);
        checks.that("readable", clock["readable_share"] == 1.0, &clock["readable_share"]);
        checks.that("nothing undecodable", report["decode_problems"] == json!([]), &report["decode_problems"]);
    });
}

#[test]
fn a_still_page_shows_all_scripts_and_costs_next_to_nothing() {
    judged(|checks| {
        let (ended, report) = record(checks, "static.html", 10.0, "");
        let fonts = report["fonts"].as_object().cloned().unwrap_or_default();
        let all = fonts.len() == 6 && fonts.values().all(|drawn| drawn == true);
        checks.that("glyphs of all scripts and coloured emoji", all, &report["fonts"]);
        checks.near("length in s", &report["duration_s"]["video"], 10.0, 1.1);
        checks.near("length of the file in s", &report["duration_s"]["container"], 10.0, 0.2);
        checks.that("silent", report["audio"]["silent"] == true, &report["audio"]);
        checks.at_most("black share", &report["picture"]["black_share"], 0.0);
        edges(checks, &report);
        checks.that("cores used", ended.load.own < 1.0, ended.load);
    });
}

#[test]
fn a_constant_frame_rate_is_had_for_the_asking() {
    judged(|checks| {
        let (_, report) = record(checks, "static.html", 6.0, "--constant-frame-rate");
        checks.near("frames", &report["frames"], 180.0, 6.0);
    });
}

#[test]
fn an_odd_size_is_rounded_up_and_said() {
    judged(|checks| {
        let (ended, report) = record(checks, "clock.html", 4.0, "--width 641 --height 361");
        size(checks, &report, 642, 362);
        edges(checks, &report);
        let warnings = ended.json["warnings"].to_string();
        let said = warnings.contains("642") && warnings.contains("362");
        checks.that("said in the result", said, warnings);
    });
}

#[test]
fn the_video_lasts_as_long_as_was_asked() {
    judged(|checks| {
        let (ended, report) = record(checks, "clock.html", 5.0, "");
        checks.near("length in s", &report["duration_s"]["container"], 5.0, 0.2);
        let told = &ended.json["result"]["videos"][0]["durationSeconds"];
        checks.near("length as told", told, 5.0, 0.2);
    });
}
