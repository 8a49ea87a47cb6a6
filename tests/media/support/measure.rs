//! Figures of a finished file: kit/measure.py, ffprobe, FFmpeg.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::here;

/// kit/measure.py at 30 fps; the page is what the cells say.
pub fn measure(file: &Path) -> Value {
    measure_page(file, None, 30.0)
}

/// `file` may also be the address of a playlist.
pub fn measure_page(file: &Path, page: Option<&str>, fps: f64) -> Value {
    let fps = fps.to_string();
    let mut args = vec!["--fps", &fps];
    args.extend(page.iter().flat_map(|page| ["--page", page]));
    measure_with(file, &args)
}

/// The page webrtc.html?tiles=N.
pub fn measure_meeting(file: &Path, tiles: usize) -> Value {
    measure_with(file, &["--page", "webrtc", "--tiles", &tiles.to_string()])
}

fn measure_with(file: &Path, args: &[&str]) -> Value {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(here().join("kit/measure.py")).arg(file).arg("--json").args(args);
    let output = command.stdin(Stdio::null()).output().expect("python3 starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("measure.py on {}: {error}: {errors}", file.display()))
}

/// Streams and format as ffprobe tells them.
pub fn probe(file: &Path) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_format", "-show_streams", "-of", "json"])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .expect("ffprobe starts");
    assert!(output.status.success(), "ffprobe: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("ffprobe prints JSON")
}

/// What FFmpeg complains about when it decodes all of a file; empty for a sound one.
pub fn complaints(file: &Path) -> String {
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-v", "error", "-i"])
        .arg(file)
        .args(["-f", "null", "-"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg starts");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
