//! Pods made of plain processes: each container runs as in a pod, on folders instead of mounts.
#![allow(dead_code)] // each test binary uses its share

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use panorec::session::fold::Folded;
use panorec::session::folder::SessionDir;
use panorec::session::intent::Intent;
use panorec::session::request::{PageUrl, Request};

use crate::http::Client;

const PATH: &str = "school/lesson-4/0b9b4e3a-7d52-4f3c-9a56-2f2d0a0c9b11";
const TOKEN: &str = "a token of the test";
/// Nothing of a pod takes longer than this besides what it waits for on purpose.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A claim with the folders of one session, and where its files are delivered to.
pub struct Claim {
    dir: TempDir,
}

impl Claim {
    pub fn new() -> Claim {
        let dir = tempfile::Builder::new().prefix("pod-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        for name in ["claim", "out"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let claim = Claim { dir };
        for _ in 0..2 {
            let mut folder = panorec("folder");
            folder.arg("--root").arg(claim.dir.path().join("claim")).args(["--path", PATH]);
            assert!(folder.status().unwrap().success(), "also when all is there");
        }
        claim
    }

    pub fn session(&self) -> PathBuf {
        self.dir.path().join("claim").join(PATH)
    }

    pub fn dir(&self) -> SessionDir {
        SessionDir::open_halves(&self.session()).unwrap()
    }

    pub fn folded(&self) -> Folded {
        self.dir().folded().unwrap()
    }

    pub fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    pub fn result(&self) -> Value {
        serde_json::from_slice(&fs::read(self.session().join("publisher/result.json")).unwrap()).unwrap()
    }

    /// A pod that records this page.
    pub fn pod(&self, url: &str) -> Pod<'_> {
        let folder = tempfile::Builder::new().prefix("p").tempdir_in(self.dir.path()).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        // Short, as in a container: sockets lie below it.
        let tmp = tempfile::Builder::new().prefix("t").tempdir_in("/tmp").unwrap();
        fs::set_permissions(tmp.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        Pod {
            claim: self,
            folder,
            tmp,
            port: free.local_addr().unwrap().port(),
            request: Request::new(PageUrl::parse(url).unwrap()),
            delivery: json!({
                "taskId": "lesson-4", "format": "MP4", "destination": { "folder": { "path": self.out() } }, "name": "lesson", "segmentSeconds": 30,
                "thumbnail": false, "contactSheet": false, "removeSession": false,
            }),
            intent: Intent::default(),
            republish: None,
        }
    }
}

pub struct Pod<'a> {
    claim: &'a Claim,
    folder: TempDir,
    tmp: TempDir,
    port: u16,
    pub request: Request,
    pub delivery: Value,
    pub intent: Intent,
    pub republish: Option<String>,
}

fn panorec(subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panorec"));
    command.arg(subcommand).stdin(Stdio::null()).env_remove("PANOREC_LOG");
    command
}

impl Pod<'_> {
    pub fn client(&self) -> Client {
        Client { port: self.port, token: Some(TOKEN.to_owned()) }
    }

    pub fn message(&self) -> PathBuf {
        self.folder.path().join("message")
    }

    pub fn recorder(&self) -> Container {
        let mut command = self.command("recorder");
        command.env("PANOREC_REQUEST", serde_json::to_string(&self.request).unwrap());
        command.env("PANOREC_INTENT", serde_json::to_string(&self.intent).unwrap());
        self.start(command)
    }

    /// Returns when it serves.
    pub fn publisher(&self) -> Container {
        let hash: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut command = self.command("publisher");
        self.deliver(&mut command);
        command.env("PANOREC_LISTEN", format!("127.0.0.1:{}", self.port));
        command.env("PANOREC_TOKEN_SHA256", hash).env("PANOREC_GENERATION", "3");
        let mut publisher = self.start(command);
        let until = Instant::now() + DEADLINE;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            publisher.assert_alive();
            assert!(Instant::now() < until, "the publisher does not serve: {}", publisher.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        publisher
    }

    /// Puts back what the bucket has.
    pub fn restore(&self) -> Container {
        let mut command = self.command("restore");
        self.deliver(&mut command);
        self.start(command)
    }

    fn deliver(&self, command: &mut Command) {
        command.env("PANOREC_DELIVERY", self.delivery.to_string());
    }

    pub fn awaiting(&self) -> Container {
        let mut command = self.command("await");
        command.env("PANOREC_TERMINATION_MESSAGE", self.message());
        self.start(command)
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = panorec(subcommand);
        command
            .env("PANOREC_SESSION", self.claim.session())
            .env("PANOREC_LINK", self.folder.path().join("link.sock"))
            // Pages, stores and callbacks of the tests are on this machine.
            .env("PANOREC_EGRESS", r#"{"public":{"allow":["127.0.0.1"]}}"#)
            .env("HOME", self.tmp.path())
            .env("TMPDIR", self.tmp.path());
        if let Some(republish) = &self.republish {
            command.env("PANOREC_REPUBLISH", republish);
        }
        command
    }

    fn start(&self, mut command: Command) -> Container {
        let name = command.get_args().next().unwrap().to_string_lossy().into_owned();
        let log = tempfile::Builder::new().prefix(&name).tempfile_in(self.folder.path()).unwrap();
        command.stderr(log.reopen().unwrap()).stdout(Stdio::null());
        Container { name, child: command.spawn().unwrap(), log: log.into_temp_path() }
    }
}

/// A running container; killed when dropped.
pub struct Container {
    name: String,
    child: Child,
    log: tempfile::TempPath,
}

impl Container {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn kill9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn term(&self) {
        // SAFETY: plain system call on a child that was not waited for.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The most memory that it had so far (VmHWM).
    pub fn peak_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
    }

    pub fn assert_alive(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("{} ended ({status}):\n{}", self.name, self.log());
        }
    }

    /// Waits for the end; returns the exit code.
    pub fn end(&mut self, deadline: Duration) -> i32 {
        let until = Instant::now() + deadline;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or_else(|| panic!("{} ended by a signal: {status}", self.name));
            }
            assert!(Instant::now() < until, "{} does not end within {deadline:?}:\n{}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}:\n{}", self.name, self.log());
        }
    }
}

/// Waits until the fold says so; returns how long that took.
pub fn until(claim: &Claim, what: &str, deadline: Duration, holds: impl Fn(&Folded) -> bool) -> Duration {
    let began = Instant::now();
    loop {
        let folded = claim.folded();
        if holds(&folded) {
            println!("    {what} after {:.2} s", began.elapsed().as_secs_f64());
            return began.elapsed();
        }
        assert!(began.elapsed() < deadline, "no {what} within {deadline:?}: {folded:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn said(generation: u64, state: &str, revision: u64) -> Value {
    json!({"generation": generation, "intent": {"state": state, "refresh": 0, "revision": revision, "at": null}})
}

pub fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut File::open(path).unwrap(), &mut bytes).unwrap();
    bytes
}
