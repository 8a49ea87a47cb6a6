//! The sound: there from the first moment, without holes, and with the picture.

use serde_json::json;

use crate::clock::record;
use crate::support::{Checks, judged, reference};

/// Sound minus picture in ms over the first or the last few beeps.
fn median_of(beeps: &[f64]) -> f64 {
    let mut sorted = beeps.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn judge_offset(checks: &mut Checks, offset: f64, what: &str) {
    let base = reference::offset_ms();
    let away = json!(offset - base);
    checks.near(&format!("{what} against the reference recorder's"), &away, 0.0, 25.0);
    checks.that(&format!("{what} by itself"), (-60.0..=10.0).contains(&offset), format!("{offset} ms"));
}

#[test]
fn sound_and_picture_stay_together() {
    judged(|checks| {
        let (_, report) = record(checks, "clock.html", 20.0, "");
        let offset = &report["av_offset"];
        judge_offset(checks, offset["median_ms"].as_f64().unwrap_or(f64::NAN), "offset");
        checks.at_most("spread in ms", &offset["spread_ms"], 10.0);
        let (first, last) = (offset["first_ms"].as_f64(), offset["last_ms"].as_f64());
        let change = json!(last.zip(first).map(|(last, first)| last - first));
        checks.near("last beep against the first in ms", &change, 0.0, 10.0);
        let paired = offset["paired"].as_f64().unwrap_or(0.0) / offset["expected"].as_f64().unwrap_or(f64::NAN);
        checks.at_least("beeps found of those expected", &json!(paired), 0.94);
        let audio = &report["audio"];
        checks.that("no holes", audio["packet_gaps"] == json!([]), &audio["packet_gaps"]);
        // The page's own tone begins a moment after its first picture.
        let silences = audio["silences"].as_array().cloned().unwrap_or_default();
        let late: Vec<_> = silences.iter().filter(|one| one["video_time"].as_f64() > Some(1.0)).collect();
        checks.that("no silences", late.is_empty(), format!("{late:?}"));
        let lengths = &report["duration_s"];
        let apart = lengths["audio"].as_f64().zip(lengths["video"].as_f64()).map(|(a, v)| a - v);
        checks.near("sound longer than picture in s", &json!(apart), 0.0, 0.1);
    });
}

#[test]
fn a_page_that_was_busy_keeps_its_sound_with_its_picture() {
    judged(|checks| {
        let (_, report) = record(checks, "clock.html?busyAt=4000&busyFor=120", 12.0, "");
        let offset = &report["av_offset"];
        let (first, last) = (offset["first_ms"].as_f64(), offset["last_ms"].as_f64());
        let change = json!(last.zip(first).map(|(last, first)| last - first));
        checks.near("last beep against the first in ms", &change, 0.0, 10.0);
        judge_offset(checks, offset["median_ms"].as_f64().unwrap_or(f64::NAN), "offset");
    });
}

#[test]
fn ten_starts_give_the_same_offset() {
    judged(|checks| {
        let offsets: Vec<f64> = (0..10)
            .map(|_| {
                let (_, report) = record(checks, "clock.html", 5.0, "");
                report["av_offset"]["median_ms"].as_f64().unwrap_or(f64::NAN)
            })
            .collect();
        let middle = median_of(&offsets);
        println!("    offsets {offsets:?}, median {middle}");
        for (i, offset) in offsets.iter().enumerate() {
            checks.near(&format!("start {} against the median", i + 1), &json!(offset - middle), 0.0, 15.0);
        }
        judge_offset(checks, middle, "median");
    });
}
