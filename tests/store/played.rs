//! What lies in the bucket, in real players: while it is recorded, and after.

use std::collections::HashMap;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::live::{Film, World};
use crate::media::{Checks, Kind, Panorec, Scratch, Server as Pages, judged, player};
use crate::proxy::{Proxy, Verdict};
use crate::server::{ACCESS, BUCKET, SECRET, Server};

/// Records the clock into the bucket as a live list, with two pauses and a new encoder, while a player follows it.
fn follows(checks: &mut Checks, encrypted: bool) {
    let (scratch, server) = (Scratch::new(), Server::start());
    // What players get: the bucket, as a CDN before it would give it.
    let pages = Pages::with(Some(server.bucket()), HashMap::new());
    let credentials = scratch.join("credentials.json");
    std::fs::write(&credentials, json!({ "accessKeyId": ACCESS, "secretAccessKey": SECRET }).to_string())
        .expect("written");
    let place = format!("s3://{BUCKET}/live/lesson.m3u8");
    let mut recording = Panorec::record(&pages.url("clock.html?wall=1"), Path::new(&place), &scratch)
        .args(&format!(
            "--s3-endpoint {} --s3-addressing path --s3-credentials {}",
            server.url(),
            credentials.display()
        ))
        .args("--format hls --live-playlist --segment-seconds 2");
    if encrypted {
        let key: Vec<u8> = (0..16).map(|i| i * 7 + 5).collect();
        let file = scratch.join("lesson.key");
        std::fs::write(&file, &key).expect("the key");
        std::fs::write(server.bucket().join("lesson.key"), &key).expect("the key, where players get it");
        recording = recording.args(&format!(
            "--hls-key-file {} --hls-key-url {}",
            file.display(),
            pages.url("extra/lesson.key")
        ));
    }
    let mut run = recording.spawn();
    run.wait_recording();
    let playlist = server.bucket().join("live/lesson.m3u8");
    run.wait("the list", Duration::from_secs(60), |_| playlist.exists().then_some(()));
    let followed = player::Player::follow(&pages, "live/lesson.m3u8");
    for i in 1..=2 {
        sleep(Duration::from_secs(3));
        run.ctl("pause");
        run.wait_for("paused", i);
        sleep(Duration::from_secs(2));
        run.ctl("resume");
        run.wait_for("resumed", i);
    }
    sleep(Duration::from_secs(3));
    run.kill9(Kind::Encoder);
    run.wait_for("gapEnded", 1);
    sleep(Duration::from_secs(4));
    run.ctl("stop");
    let stopped = jiff::Timestamp::now().as_millisecond();
    let ended = run.end(Duration::ZERO);
    ended.assert_done();
    checks.loaded(&ended.load);
    let result = &ended.json;
    checks.that("two pauses, a gap", result["pauses"]["count"] == 2 && result["gaps"]["count"] == 1, &result["gaps"]);
    let verdict = followed.verdict(Duration::from_secs(120));
    let number = |name: &str| verdict[name].as_f64().unwrap_or(f64::NAN);
    checks.that("no error", verdict["error"].is_null(), &verdict);
    checks.that(
        "it played before the stop",
        number("began") + 5_000.0 < stopped as f64,
        format!("{} of {stopped}", verdict["began"]),
    );
    let length = result["result"]["videos"][0]["durationSeconds"].as_f64().unwrap_or(f64::NAN);
    checks.near("played to, in s", &verdict["at"], length, 0.3);
    checks.near("as long as it is told to be, in s", &verdict["duration"], length, 0.3);
    checks.at_least("pictures shown", &verdict["frames"], length * 15.0);
    checks.that("without jumps", verdict["jumps"] == json!([]) || jumps_forward(&verdict) < 0.5, &verdict["jumps"]);
    let again = player::play(&pages, "live/lesson.m3u8");
    checks.that("plays and seeks afterwards", player::is_fine(&again), &again);
}

/// How much it jumped over, in seconds.
fn jumps_forward(verdict: &Value) -> f64 {
    let jumps = verdict["jumps"].as_array().cloned().unwrap_or_default();
    jumps.iter().map(|jump| jump[1].as_f64().unwrap_or(f64::NAN) - jump[0].as_f64().unwrap_or(f64::NAN)).sum()
}

#[test]
fn alone_a_live_list_is_followed_by_hls_js_from_its_start_to_its_end() {
    judged(|checks| follows(checks, false));
}

#[test]
fn alone_an_encrypted_live_list_is_followed_by_hls_js_too() {
    judged(|checks| follows(checks, true));
}

#[test]
fn an_object_plays_at_once_and_seeks_by_byte_ranges() {
    let (film, server) = (Film::new(), Server::start());
    let world = World::new();
    let proxy = Proxy::before(server.address(), |_| Verdict::Pass);
    let mut pod = world.pod(&proxy.url(), None);
    pod.delivery["destination"]["s3"]["link"] = json!({ "presigned": { "seconds": 3600 } });
    let mut publisher = pod.publisher();
    let mut recorder = world.recorder();
    film.record(&mut recorder, 20, &mut || {});
    recorder.stop();
    let (_, result) = world.result(&mut publisher);
    let video = &result["result"]["videos"][0];
    let before = proxy.seen().len();
    let pages = Pages::start();
    let verdict = player::play_from(&pages, video["url"].as_str().expect("a URL"));
    assert!(player::is_fine(&verdict), "{verdict}");
    assert!((verdict["duration"].as_f64().unwrap_or(0.0) - video["durationSeconds"].as_f64().unwrap()).abs() < 0.05);
    let seen = proxy.seen();
    let ranges: Vec<&str> = seen[before..].iter().map(|seen| seen.header("range")).collect();
    println!("    {} MiB, asked for by {ranges:?}", video["sizeBytes"].as_u64().unwrap_or(0) >> 20);
    // From the start, and then from where it is to go on: never from the end, for an index that is there.
    assert!(ranges.len() >= 3 && ranges[0] == "bytes=0-", "{ranges:?}");
    assert!(ranges.iter().all(|range| range.starts_with("bytes=")), "{ranges:?}");
}
