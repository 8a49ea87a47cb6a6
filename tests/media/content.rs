//! What the result says of the content: how much of it is black, and silent; and the title that the page was given.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::clock::record;
use crate::support::{Panorec, Scratch, Server, judged, seconds};

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
