//! Clients before a real `panorec serve`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::programs::{Client, Said, panorec};
use crate::{KEY_ID, SECRET, says};

const START: Duration = Duration::from_secs(30);
const UNKNOWN: &str = "d1806f20-25b8-4c30-8176-c0832bf84e02";

/// `panorec serve` in a folder of its own. Ends with its value.
struct Server {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Server {
    fn start() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.json");
        let known = json!({"keys": [{"id": KEY_ID, "secret": SECRET}]});
        std::fs::write(&keys, known.to_string()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_panorec"))
            .args(["serve", "--listen", "127.0.0.1:0", "--path-prefix", "/release", "--keys"])
            .arg(&keys)
            .arg("--data")
            .arg(folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Read to its end, so that the server never waits for somebody to read.
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut said = Vec::new();
        let url = loop {
            match lines.recv_timeout(START) {
                Ok(line) => {
                    let url = line.split_once("listening at ").map(|(_, rest)| rest);
                    let url = url.and_then(|rest| rest.split(|c: char| c.is_whitespace() || "\";,".contains(c)).next());
                    if let Some(url) = url {
                        break url.to_owned();
                    }
                    said.push(line);
                }
                Err(error) => {
                    let _ = child.kill();
                    panic!("it does not listen ({error}): {said:?}");
                }
            }
        };
        Server { child, url, _folder: folder }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_client_is_let_in_with_its_secret_and_with_no_other() {
    let server = Server::start();
    let body = json!({"Action": "Describe", "Data": {"TaskID": UNKNOWN}}).to_string();
    for client in Client::ALL {
        for base in ["", "/release"] {
            let url = format!("{}{base}", server.url);
            // Only whom the signature has let in is told that there is no such task.
            let said = Said::from(client.send(&url, SECRET, &body));
            let (expected, answer) = match client {
                Client::Panorec => (2, said.err),
                _ => {
                    let answer: Value = serde_json::from_str(&said.out).unwrap();
                    assert!(answer["RequestID"].is_string(), "{client:?}: {answer}");
                    (0, answer.to_string())
                }
            };
            assert_eq!(said.code, Some(expected), "{client:?}: {answer}");
            says(&answer, "InvalidParam");
            says(&answer, "invalid task id, task not found");

            let said = Said::from(client.send(&url, "wrong", &body));
            assert!(said.code.is_some_and(|code| code != 0), "{client:?}");
            says(&format!("{}{}", said.out, said.err), "HMAC signature does not match.");
        }
    }
}

#[test]
fn panorec_action_asks_for_everything_that_needs_no_recording() {
    let server = Server::start();
    let asked = |args: &[&str]| {
        let mut command = panorec(&server.url, &["--key-id", KEY_ID]);
        Said::from(command.args(args).env("PANOREC_KEY_SECRET", SECRET).output().unwrap())
    };
    for word in ["pause", "resume", "refresh", "stop", "describe", "detail"] {
        let said = asked(&[word, UNKNOWN]);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{word}: {}", said.err);
        says(&said.err, "InvalidParam: invalid task id, task not found");
    }
    let said = asked(&["list", "--status", "running", "--from", "2026-03-01"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let listed: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&listed["Total"], &listed["Tasks"]), (&json!(0), &json!([])));
    let said = asked(&["start", "ftp://school.example/"]);
    assert_eq!(said.code, Some(2));
    says(&said.err, "invalid RecordURL or unsupported RecordURL, please check again");
}
