//! The finished file: what it holds, that everything plays it, and how soon it is there.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Panorec, Scratch, Server, judged, measure, measure::complaints, player, probe, seconds};

fn stream<'a>(probe: &'a Value, kind: &str) -> &'a Value {
    let streams = probe["streams"].as_array().expect("streams");
    streams.iter().find(|stream| stream["codec_type"] == kind).unwrap_or(&Value::Null)
}

/// A digest of the video packets as they are, whatever the container.
fn packet_digest(file: &Path) -> String {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-map", "0:v", "-c", "copy", "-f", "streamhash", "-"])
        .output()
        .expect("ffmpeg starts");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn an_mp4_is_standard_plays_and_seeks_everywhere_and_is_there_at_once() {
    judged(|checks| {
        let scratch = Scratch::new();
        let server = Server::with(Some(scratch.path().to_owned()), HashMap::new());
        let file = scratch.join("lesson.mp4");
        let mut run = Panorec::record(&server.url("clock.html"), &file, &scratch).spawn();
        run.wait_recording();
        sleep(Duration::from_secs(10));
        run.ctl("stop");
        let stopped = Instant::now();
        let ended = run.end(Duration::ZERO);
        checks.soon("finished after the stop", stopped.elapsed(), Duration::from_secs(2));
        ended.assert_done();
        checks.loaded(&ended.load);
        let found = probe(&file);
        let (video, audio) = (stream(&found, "video"), stream(&found, "audio"));
        for (name, value, wanted) in [
            ("video", &video["codec_tag_string"], "avc1"),
            ("audio", &audio["codec_tag_string"], "mp4a"),
            ("pixels", &video["pix_fmt"], "yuv420p"),
            ("colour space", &video["color_space"], "bt709"),
            ("colour primaries", &video["color_primaries"], "bt709"),
            ("colour transfer", &video["color_transfer"], "bt709"),
            ("sample rate", &audio["sample_rate"], "48000"),
        ] {
            checks.that(name, value == wanted, value);
        }
        let report = measure(&file);
        checks.that("starts before it is loaded", report["faststart"] == true, &report["faststart"]);
        let complaints = complaints(&file);
        checks.that("FFmpeg has nothing to say", complaints.is_empty(), complaints);
        let part = ended_part(&scratch);
        checks.that("not encoded anew", packet_digest(&part) == packet_digest(&file), packet_digest(&file));
        let verdict = player::play(&server, "lesson.mp4");
        checks.that("plays and seeks", player::is_fine(&verdict), &verdict);
    });
}

fn ended_part(scratch: &Scratch) -> std::path::PathBuf {
    scratch.join("session/recorder/parts/1-1.webm")
}

#[test]
fn vp8_and_vp9_parts_become_the_same_kind_of_mp4() {
    for codec in ["vp8", "vp9"] {
        judged(|checks| {
            let scratch = Scratch::new();
            let server = Server::start();
            let file = scratch.join("out.mp4");
            let ended = Panorec::record(&server.url("clock.html"), &file, &scratch)
                .args(&format!("--codec {codec} --duration 5"))
                .run(seconds(5.0) * 4);
            ended.assert_done();
            checks.loaded(&ended.load);
            let part = probe(&ended_part(&scratch));
            checks.that("video of the part", stream(&part, "video")["codec_name"] == codec, codec);
            let sound = &stream(&part, "audio")["codec_name"];
            checks.that("sound of the part", sound == "opus", sound);
            let found = probe(&file);
            let kind = &stream(&found, "video")["codec_tag_string"];
            checks.that("video of the file", kind == "avc1", kind);
            let report = measure(&file);
            checks.near("length in s", &report["duration_s"]["container"], 5.0, 0.2);
            checks.at_least("unique fps", &report["clock"]["effective_fps"], 25.0);
            let complaints = complaints(&file);
            checks.that("FFmpeg has nothing to say", complaints.is_empty(), complaints);
        });
    }
}

#[test]
fn a_thumbnail_is_had_for_the_asking() {
    let scratch = Scratch::new();
    let server = Server::start();
    fs::create_dir(scratch.join("out")).expect("a folder");
    let file = scratch.join("out/lesson.mp4");
    let ended =
        Panorec::record(&server.url("clock.html"), &file, &scratch).args("--duration 3 --thumbnail").run(seconds(3.0));
    ended.assert_done();
    let names: Vec<String> = fs::read_dir(scratch.join("out"))
        .expect("the folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let pictures: Vec<&String> = names.iter().filter(|n| n.ends_with(".jpg") || n.ends_with(".png")).collect();
    assert!(!pictures.is_empty(), "no picture among {names:?}");
    for name in pictures {
        let found = probe(&scratch.join("out").join(name));
        assert!(found["streams"][0]["width"].as_u64() > Some(0), "{name} is no picture");
    }
}
