//! A finished video in a real Chromium: does it play, does it seek?

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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
    play_from(server, &format!("/extra/{name}"))
}

/// The same from any address.
pub fn play_from(server: &Server, address: &str) -> Value {
    let hls = if address.ends_with(".m3u8") { "&hls=1" } else { "" };
    Player::open(server, address, hls).verdict(Duration::from_secs(90))
}

/// A real Chromium that plays; ends with its value.
pub struct Player<'a> {
    server: &'a Server,
    child: Child,
    watch: Option<Watch>,
    _profile: Scratch,
}

impl Player<'_> {
    /// Follows a playlist of the server's extra folder from its start to its end.
    #[allow(dead_code)] // each test binary uses its share
    pub fn follow<'a>(server: &'a Server, name: &str) -> Player<'a> {
        Player::open(server, &format!("/extra/{name}"), "&hls=1&live=1")
    }

    fn open<'a>(server: &'a Server, address: &str, mode: &str) -> Player<'a> {
        let address: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
        let url = server.url(&format!("player/play.html?src={address}{mode}"));
        let (child, watch, profile) = chromium(&url);
        Player { server, child, watch: Some(watch), _profile: profile }
    }

    /// What the page saw, once it has seen it all.
    pub fn verdict(self, deadline: Duration) -> Value {
        let verdict = self.server.posted("/verdict", deadline);
        let verdict = verdict.unwrap_or_else(|| panic!("the player said nothing within {deadline:?}"));
        serde_json::from_slice(&verdict).expect("the player posts JSON")
    }
}

impl Drop for Player<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Kills the rest.
        drop(self.watch.take());
    }
}

fn chromium(url: &str) -> (Child, Watch, Scratch) {
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
    let child = command
        .args([user_data.as_str(), url])
        .env("PANOREC_TEST_MARK", &mark)
        .env("TMPDIR", profile.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("chromium starts");
    let watch = Watch::new(child.id() as i32, format!("PANOREC_TEST_MARK={mark}"));
    (child, watch, profile)
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
