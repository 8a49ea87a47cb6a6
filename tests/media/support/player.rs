//! A finished video in a real Chromium: does it play, does it seek?

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::procs::Watch;
use super::server::Server;
use super::{Scratch, here};

/// hls.js as the lock file of tests/media/player names it, installed once into the target folder.
pub fn hls_js() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("player");
        let file = folder.join("node_modules/hls.js/dist/hls.min.js");
        let lock = std::fs::read(here().join("player/package-lock.json")).expect("the lock file");
        if std::fs::read(folder.join("package-lock.json")).ok() == Some(lock) && file.is_file() {
            return file;
        }
        std::fs::create_dir_all(&folder).expect("a folder in the target folder");
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(here().join("player").join(name), folder.join(name)).expect("copied");
        }
        let status = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
            .current_dir(&folder)
            .status()
            .expect("npm starts (make setup installs it)");
        assert!(status.success() && file.is_file(), "npm ci in {} failed", folder.display());
        file
    })
}

/// Plays `name` of the server's extra folder and gives what the page saw (see player/play.html).
pub fn play(server: &Server, name: &str) -> Value {
    let hls = if name.ends_with(".m3u8") { "&hls=1" } else { "" };
    let url = server.url(&format!("player/play.html?src=/extra/{name}{hls}"));
    let profile = Scratch::new();
    let mark = format!("{}-{:?}", std::process::id(), Instant::now());
    let mut command = Command::new("chromium");
    command.args(["--headless=new", "--no-first-run", "--disable-background-networking", "--mute-audio"]);
    command.args(["--autoplay-policy=no-user-gesture-required", "--disable-component-update"]);
    // SAFETY: plain system call without arguments.
    if unsafe { libc::geteuid() } == 0 {
        command.arg("--no-sandbox"); // Chromium refuses to start as root otherwise; the page is ours
    }
    let user_data = format!("--user-data-dir={}", profile.path().display());
    let mut child = command
        .args([&user_data, &url])
        .env("PANOREC_TEST_MARK", &mark)
        .env("TMPDIR", profile.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("chromium starts");
    let watch = Watch::new(child.id() as i32, format!("PANOREC_TEST_MARK={mark}"));
    let verdict = server.posted("/verdict", Duration::from_secs(90));
    let _ = child.kill();
    let _ = child.wait();
    drop(watch);
    let verdict = verdict.expect("the player said nothing within 90 s");
    serde_json::from_slice(&verdict).expect("the player posts JSON")
}

/// It played at its pace, with sound, and each seek showed a picture of about that place.
pub fn is_fine(verdict: &Value) -> bool {
    let number = |name: &str| verdict[name].as_f64().unwrap_or(0.0);
    let empty = Vec::new();
    let seeks = verdict["seeks"].as_array().unwrap_or(&empty);
    verdict["error"].is_null()
        && (number("playedSeconds") - number("watchedSeconds")).abs() < 0.5
        && number("soundBytes") > 0.0
        && seeks.len() == 5
        && seeks.iter().all(|seek| {
            let at = |name: &str| seek[name].as_f64().unwrap_or(f64::NAN);
            (at("at") - at("to")).abs() < 0.1 && (at("picture") - at("to")).abs() < 1.2
        })
}
