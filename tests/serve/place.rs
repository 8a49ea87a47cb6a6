//! A running `panorec serve` with its data folder.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::Client;
use super::support::{Panorec, Run, Scratch};

/// What a busy machine takes to start Chrome, or to finish a file.
pub const DEADLINE: Duration = Duration::from_secs(120);

pub struct Place {
    pub scratch: Scratch,
    port: u16,
    args: Vec<String>,
}

impl Place {
    pub fn new(args: &[&str]) -> Place {
        // The same address also when it is started again.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port").port();
        Place { scratch: Scratch::new(), port, args: args.iter().map(|arg| (*arg).to_owned()).collect() }
    }

    pub fn data(&self) -> PathBuf {
        self.scratch.join("data")
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn client(&self) -> Client {
        Client::of(self.address())
    }

    /// Starts it, and waits until it listens.
    pub fn serve(&self) -> Run {
        let mut command = Panorec::new("serve").arg("--listen").arg(format!("127.0.0.1:{}", self.port));
        command = command.arg("--data").arg(self.data());
        let mut run = self.args.iter().fold(command, Panorec::arg).spawn();
        run.wait("listening", DEADLINE, |run| run.stderr().contains("listening at").then_some(()));
        run
    }

    /// What a session's result.json holds.
    pub fn result(&self, task: &str) -> Value {
        let path = self.data().join(task).join("publisher/result.json");
        let until = Instant::now() + DEADLINE;
        loop {
            // It is written a moment after the journal says that all is done.
            if let Ok(bytes) = std::fs::read(&path) {
                return serde_json::from_slice(&bytes).expect("JSON");
            }
            assert!(Instant::now() < until, "no {}", path.display());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Ends it as a service manager does.
pub fn end(run: Run) {
    run.signal(libc::SIGTERM);
    let ended = run.end(Duration::ZERO);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

/// Waits until it has said a word of each of these tasks.
pub fn until_said(run: &mut Run, tasks: &[String], word: &str) {
    let is_said = |said: &str, task: &str| said.lines().any(|line| line.starts_with(task) && line.contains(word));
    run.wait(word, DEADLINE, |run| {
        let said = run.stderr();
        tasks.iter().all(|task| is_said(&said, task)).then_some(())
    });
}
