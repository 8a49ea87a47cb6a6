//! What the result says of the content: how much of it is black, and silent; and the title that the page was given.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::clock::record;
use crate::support::{Kind, Panorec, Scratch, Server, Take, judged, seconds};

/// How long FFmpeg finds a file black, in seconds.
fn black_seconds(file: &Path) -> f64 {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostats", "-i"])
        .arg(file)
        .args(["-an", "-vf", "blackdetect", "-f", "null", "-"])
        .output()
        .expect("FFmpeg starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = said.split("black_duration:").skip(1);
    found
        .map(|rest| rest.split_whitespace().next().and_then(|text| text.parse::<f64>().ok()).expect("a duration"))
        .sum()
}

/// Black for its first 4 s, then white; and never a sound.
const PAGE: &str = r#"<!doctype html><title>its own</title><body style="background: black"><script>
startRecord().then(() => {
  setTimeout(() => { document.body.style.background = 'white'; document.title = 'another'; }, 4000);
  setTimeout(() => fetch('/found', { method: 'POST', body: document.title }), 5000);
});
</script>"#;

#[test]
fn the_result_tells_how_much_is_black_and_silent() {
    judged(|checks| {
        let scratch = Scratch::new();
        let server = Server::with(Some(scratch.path().to_owned()), HashMap::new());
        fs::write(scratch.join("page.html"), PAGE).expect("the page");
        let file = scratch.join("out.mp4");
        let ended = Panorec::record(&server.url("extra/page.html"), &file, &scratch)
            .args("--duration 12 --start manual --title")
            .arg("The \"lesson\" of 'today'")
            .run(seconds(12.0));
        ended.assert_done();
        checks.loaded(&ended.load);
        let content = &ended.json["content"];
        let black = black_seconds(&file);
        checks.near("black seconds, as FFmpeg says", &black.into(), 3.8, 0.4);
        checks.near("black share", &content["blackShare"], black / 12.0, 0.01);
        checks.at_least("silent share", &content["silentShare"], 0.98);
        let title =
            server.posted("/found", Duration::from_secs(1)).map(|title| String::from_utf8_lossy(&title).into_owned());
        checks.that("title", title.as_deref() == Some("The \"lesson\" of 'today'"), format!("{title:?}"));
        let warnings = &ended.json["warnings"];
        checks.that("no warning", warnings.as_array().is_some_and(Vec::is_empty), warnings);
    });
}

#[test]
fn a_page_with_light_and_beeps_is_neither() {
    judged(|checks| {
        let (ended, _) = record(checks, "clock.html", 6.0, "");
        let content = &ended.json["content"];
        checks.at_most("black share", &content["blackShare"], 0.0);
        checks.at_most("silent share", &content["silentShare"], 0.0);
    });
}

/// 30 s of a moving picture and a tone: black and still from 3 s to 8 s, still from 11 s to 18 s, silent from
/// 21 s to 24 s.
const FAULTS: &str = r#"<!doctype html><body style="margin: 0"><canvas width="1280" height="720"></canvas><script>
const draw = document.querySelector('canvas').getContext('2d');
const sound = new AudioContext();
const tone = new OscillatorNode(sound), gain = new GainNode(sound, { gain: 0.3 });
tone.connect(gain).connect(sound.destination);
startRecord().then(() => {
  tone.start();
  const began = performance.now();
  const silence = sound.currentTime + 21;
  gain.gain.setValueAtTime(0, silence);
  gain.gain.setValueAtTime(0.3, silence + 3);
  let black = false;
  const frame = () => {
    const at = (performance.now() - began) / 1000;
    const still = (at >= 3 && at < 8) || (at >= 11 && at < 18);
    if (at >= 3 && at < 8 && !black) { black = true; draw.fillStyle = '#000'; draw.fillRect(0, 0, 1280, 720); }
    if (!still) {
      draw.fillStyle = `hsl(${at * 90}deg 60% 60%)`; draw.fillRect(0, 0, 1280, 720);
      draw.fillStyle = '#fff'; draw.fillRect((at * 200) % 1200, 300, 80, 80);
    }
    requestAnimationFrame(frame);
  };
  frame();
});
</script>"#;

#[test]
fn planted_faults_are_found() {
    judged(|checks| {
        let scratch = Scratch::new();
        let server = Server::with(Some(scratch.path().to_owned()), HashMap::new());
        fs::write(scratch.join("page.html"), FAULTS).expect("the page");
        let file = scratch.join("out.mp4");
        let ended = Panorec::record(&server.url("extra/page.html"), &file, &scratch)
            .args("--duration 30 --start manual")
            .run(seconds(30.0));
        ended.assert_done();
        checks.loaded(&ended.load);
        let content = &ended.json["content"];
        let share = |name: &str| serde_json::json!(content[name].as_f64().unwrap_or(-1.0) * 30.0);
        checks.near("black, in s", &share("blackShare"), 5.0, 0.3);
        checks.near("longest freeze, in s", &content["longestFreezeSeconds"], 7.0, 0.3);
        checks.near("silent, in s", &share("silentShare"), 3.0, 0.3);
    });
}

/// The encoder stands still for a while: what does not wait is dropped, and told.
#[test]
fn dropped_frames_are_counted() {
    judged(|checks| {
        let take = Take::begin("clock.html", "");
        sleep(Duration::from_secs(4));
        let encoder = take.run.find(Kind::Encoder).expect("an encoder");
        let halt = |signal| {
            // SAFETY: plain system call on a process of this test.
            unsafe { libc::kill(encoder.pid, signal) };
        };
        halt(libc::SIGSTOP);
        // A third of a second of pictures waits; the rest is lost, some twenty.
        sleep(Duration::from_millis(1_100));
        halt(libc::SIGCONT);
        sleep(Duration::from_secs(5));
        let (ended, report) = take.stop(checks);
        let clock = &report["clock"];
        let length = report["duration_s"]["video"].as_f64().or(report["duration_s"]["container"].as_f64());
        let length = length.unwrap_or(f64::NAN);
        let shown = clock["effective_fps"].as_f64().unwrap_or(f64::NAN) * length;
        let missing = length * 30.0 - shown;
        let told = ended.json["content"]["droppedFrameShare"].as_f64().unwrap_or(f64::NAN);
        println!("    {missing:.1} of {:.0} pictures are missing, {told} are told to be dropped", length * 30.0);
        checks.at_least("dropped", &json!(missing), 10.0);
        checks.near("dropped, in s", &json!(told * length), missing / 30.0, 0.3);
    });
}
