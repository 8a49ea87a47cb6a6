//! HLS: plain and encrypted, moving and still, in a real player.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{Checks, Panorec, Scratch, Server, judged, measure, measure_page, player, seconds};

const SEGMENT: f64 = 4.0;
const KEY_FRAMES: f64 = 2.0;

/// The lines of a playlist against what HLS asks for.
fn judge_playlist(checks: &mut Checks, playlist: &Path) {
    let text = fs::read_to_string(playlist).expect("the playlist");
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").to_owned();
    let lengths: Vec<f64> =
        text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.trim_end_matches(',').parse().ok()).collect();
    let longest = lengths.iter().copied().fold(0.0, f64::max);
    checks.at_most("longest segment in s", &json!(longest), SEGMENT + KEY_FRAMES);
    let target: f64 = value("#EXT-X-TARGETDURATION:").parse().unwrap_or(0.0);
    let true_target = target >= longest.round() && target <= longest.ceil();
    checks.that("target duration", true_target, format!("{target} for {longest}"));
    checks.that("VOD", value("#EXT-X-PLAYLIST-TYPE:") == "VOD", value("#EXT-X-PLAYLIST-TYPE:"));
    checks.that("ended", text.trim_end().ends_with("#EXT-X-ENDLIST"), text.lines().last().unwrap_or(""));
    checks.near("segments together in s", &json!(lengths.iter().sum::<f64>()), 12.0, 0.3);
    checks.that("several segments", lengths.len() >= 3, lengths.len());
}

#[test]
fn hls_of_a_moving_page_plays_and_seeks_in_hls_js() {
    judged(|checks| {
        let scratch = Scratch::new();
        let server = Server::with(Some(scratch.path().to_owned()), HashMap::new());
        let playlist = scratch.join("hls/lesson.m3u8");
        fs::create_dir(scratch.join("hls")).expect("a folder");
        let ended = Panorec::record(&server.url("clock.html"), &playlist, &scratch)
            .args(&format!("--format hls --segment-seconds {SEGMENT} --duration 12"))
            .run(seconds(12.0));
        ended.assert_done();
        checks.loaded(&ended.load);
        judge_playlist(checks, &playlist);
        let report = measure(&playlist);
        checks.at_least("unique fps", &report["clock"]["effective_fps"], 29.5);
        checks.that("no jumps", report["clock"]["discontinuities"] == json!([]), &report["clock"]);
        checks.that("no holes", report["audio"]["packet_gaps"] == json!([]), &report["audio"]);
        let verdict = player::play(&server, "hls/lesson.m3u8");
        checks.that("plays and seeks", player::is_fine(&verdict), &verdict);
    });
}

#[test]
fn encrypted_hls_plays_with_the_key_that_is_nowhere_beside_it() {
    judged(|checks| {
        let scratch = Scratch::new();
        let server = Server::with(Some(scratch.path().to_owned()), HashMap::new());
        let key: Vec<u8> = (0..16).map(|i| i * 11 + 3).collect();
        for folder in ["hls", "keys"] {
            fs::create_dir(scratch.join(folder)).expect("a folder");
        }
        let key_file = scratch.join("keys/lesson.key");
        fs::write(&key_file, &key).expect("the key");
        let playlist = scratch.join("hls/lesson.m3u8");
        let ended = Panorec::record(&server.url("clock.html"), &playlist, &scratch)
            .args(&format!("--format hls --segment-seconds {SEGMENT} --duration 12"))
            .arg("--hls-key-file")
            .arg(&key_file)
            .args(&format!("--hls-key-url {}", server.url("extra/keys/lesson.key")))
            .args("--hls-iv 000102030405060708090a0b0c0d0e0f")
            .run(seconds(12.0));
        ended.assert_done();
        checks.loaded(&ended.load);
        judge_playlist(checks, &playlist);
        let text = fs::read_to_string(&playlist).expect("the playlist");
        let line = text.lines().find(|line| line.starts_with("#EXT-X-KEY:")).unwrap_or("");
        let told = line.contains("METHOD=AES-128")
            && line.contains("lesson.key")
            && line.to_lowercase().contains("iv=0x000102030405060708090a0b0c0d0e0f");
        checks.that("key line", told, line);
        for entry in fs::read_dir(scratch.join("hls")).expect("the folder").flatten() {
            let bytes = fs::read(entry.path()).expect("a file");
            let name = entry.file_name().to_string_lossy().into_owned();
            let leaked = bytes.windows(16).any(|window| window == key);
            checks.that(&format!("no key in {name}"), !leaked, bytes.len());
            if name.ends_with(".ts") {
                // Plain transport streams have their sync byte each 188 bytes.
                let plain = bytes.first() == Some(&0x47) && bytes.get(188) == Some(&0x47);
                checks.that(&format!("{name} encrypted"), !plain, bytes.len() % 16);
            }
        }
        let report = measure_page(Path::new(&server.url("extra/hls/lesson.m3u8")), None, 30.0);
        checks.at_least("unique fps", &report["clock"]["effective_fps"], 29.5);
        let verdict = player::play(&server, "hls/lesson.m3u8");
        checks.that("plays and seeks", player::is_fine(&verdict), &verdict);
    });
}

#[test]
fn hls_of_a_still_page_has_segments_of_the_right_length_too() {
    judged(|checks| {
        let scratch = Scratch::new();
        let server = Server::with(Some(scratch.path().to_owned()), HashMap::new());
        fs::create_dir(scratch.join("hls")).expect("a folder");
        let playlist = scratch.join("hls/still.m3u8");
        let ended = Panorec::record(&server.url("static.html"), &playlist, &scratch)
            .args(&format!("--format hls --segment-seconds {SEGMENT} --duration 12"))
            .run(seconds(12.0));
        ended.assert_done();
        checks.loaded(&ended.load);
        judge_playlist(checks, &playlist);
        let verdict = player::play(&server, "hls/still.m3u8");
        checks.that("plays and seeks", player::is_fine(&verdict), &verdict);
    });
}
