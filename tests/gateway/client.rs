//! A client of a gateway, for tests: as much of HTTP/1.1 as they need, and signatures.
#![allow(dead_code)] // each test binary uses its share

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use panorec::gateway::Secret;
use panorec::gateway::auth::{Algorithm, Outgoing, sign};

/// Nothing takes longer than this to be answered.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

pub struct Answer {
    pub status: u16,
    /// In lower case, a line each.
    pub headers: String,
    pub body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("no JSON ({error}), status {}: {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }
}

/// A client of one gateway.
#[derive(Debug, Clone)]
pub struct Client {
    /// `127.0.0.1:8080`
    pub address: String,
    /// The path of actions, as in `/record`.
    pub path: String,
    /// Id and secret of the key that it signs by.
    pub key: Option<(String, String)>,
}

impl Client {
    pub fn of(address: impl Into<String>) -> Client {
        Client { address: address.into(), path: "/record".to_owned(), key: None }
    }

    pub fn signing(&self, id: &str, secret: &str) -> Client {
        Client { key: Some((id.to_owned(), secret.to_owned())), ..self.clone() }
    }

    /// An action, which is answered with 200 and a RequestID whatever comes of it.
    #[track_caller]
    pub fn ask(&self, action: &str, data: Value) -> Value {
        self.said(&json!({"Action": action, "Data": data}))
    }

    /// The same with a body of any form.
    #[track_caller]
    pub fn said(&self, body: &Value) -> Value {
        let answer = self.post(body.to_string().as_bytes());
        let answered = answer.json();
        assert_eq!(answer.status, 200, "{body}: {answered}");
        let inner = answered.get("Response").unwrap_or(&answered);
        let request_id = inner["RequestID"].as_str().unwrap_or_default();
        assert_eq!(request_id.len(), 36, "{body}: {answered} has no RequestID");
        answered
    }

    /// A Start that is followed; the task's id.
    #[track_caller]
    pub fn start(&self, data: Value) -> String {
        let answered = self.ask("Start", data);
        answered["TaskID"].as_str().unwrap_or_else(|| panic!("not started: {answered}")).to_owned()
    }

    #[track_caller]
    pub fn tell(&self, action: &str, task: &str) -> Value {
        self.ask(action, json!({"TaskID": task}))
    }

    #[track_caller]
    pub fn describe(&self, task: &str) -> Value {
        self.tell("Describe", task)
    }

    /// Asks until a status is reached, or a later one; what was described then.
    #[track_caller]
    pub fn until(&self, task: &str, status: &str, deadline: Duration) -> Value {
        let until = Instant::now() + deadline;
        loop {
            let described = self.describe(task);
            if rank(&described) >= rank_of(status) && (rank_of(status) != 1 || described["Status"] == status) {
                return described;
            }
            assert!(Instant::now() < until, "not {status} within {deadline:?}: {described}");
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    pub fn post(&self, body: &[u8]) -> Answer {
        self.request("POST", &self.path, &self.headers(body), body)
    }

    /// The headers of a POST of this body, signed for this moment.
    pub fn headers(&self, body: &[u8]) -> String {
        let mut headers = "Content-Type: application/json\r\n".to_owned();
        if let Some((id, secret)) = &self.key {
            let outgoing = Outgoing {
                method: "POST",
                path: "/record",
                query: None,
                accept: "",
                content_type: "application/json",
                body,
            };
            let secret = Secret::new(secret.clone());
            let signed = sign(&outgoing, id, &secret, Algorithm::Sha256, Timestamp::now()).unwrap();
            headers += &format!("X-Date: {}\r\nAuthorization: {}\r\n", signed.x_date, signed.authorization);
            headers.extend(signed.content_md5.map(|md5| format!("Content-MD5: {md5}\r\n")));
        }
        headers
    }

    /// `headers`: whole lines.
    pub fn get(&self, path: &str, headers: &str) -> Answer {
        self.request("GET", path, headers, b"")
    }

    pub fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = self.send(method, path, headers, body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole answer");
        let body = bytes.split_off(head + 4);
        let headers = String::from_utf8(bytes).unwrap().to_ascii_lowercase();
        let status = headers.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, headers, body }
    }

    /// Sends a request and does not read what is answered.
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(ANSWERED_WITHIN)).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        stream
    }
}

/// The rank of a described task's status.
#[track_caller]
pub fn rank(described: &Value) -> usize {
    rank_of(described["Status"].as_str().unwrap_or_else(|| panic!("no status: {described}")))
}

/// Recording and paused have the same rank.
#[track_caller]
pub fn rank_of(status: &str) -> usize {
    match status {
        "normal" => 0,
        "recording" | "paused" => 1,
        "canceled" => 2,
        "transcode" => 3,
        "upload" => 4,
        "callback" => 5,
        "finished" => 6,
        other => panic!("there is no status {other:?}"),
    }
}
