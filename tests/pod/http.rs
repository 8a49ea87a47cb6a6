//! As much of HTTP/1.1 as a test needs to speak with the control endpoint.
#![allow(dead_code)] // each test binary uses its share

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Nothing takes longer than this to be answered.
const DEADLINE: Duration = Duration::from_secs(20);

pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A client of one endpoint.
#[derive(Debug, Clone)]
pub struct Client {
    pub port: u16,
    pub token: Option<String>,
}

impl Client {
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, b"")
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask("PUT", path, body.to_string().as_bytes())
    }

    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let (status, headers, mut reader) = self.begin(method, path, body);
        let mut body = Vec::new();
        if headers.contains("transfer-encoding: chunked") {
            while let Some(chunk) = chunk(&mut reader) {
                body.extend(chunk);
            }
        } else {
            reader.read_to_end(&mut body).unwrap();
        }
        Answer { status, headers, body }
    }

    /// The events after a cursor, a line each.
    pub fn events(&self, after: &str) -> Events {
        let (status, _, reader) = self.begin("GET", &format!("/v1/events?after={after}"), b"");
        assert_eq!(status, 200);
        Events { reader, text: Vec::new() }
    }

    fn begin(&self, method: &str, path: &str, body: &[u8]) -> (u16, String, BufReader<TcpStream>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n");
        if let Some(token) = &self.token {
            head += &format!("X-Panorec-Token: {token}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // Whoever refuses a long body may have closed by now.
        let _ = stream.write_all(body);
        let mut reader = BufReader::new(stream);
        let mut headers = String::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            headers += &line.to_ascii_lowercase();
        }
        let status = headers.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("no status in {headers:?}")), headers, reader)
    }
}

/// A stream of events; ends when the endpoint ends it.
pub struct Events {
    reader: BufReader<TcpStream>,
    text: Vec<u8>,
}

impl Iterator for Events {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            self.text.extend(chunk(&mut self.reader)?);
        }
    }
}

/// The next chunk; None after the last, or when the connection was cut.
fn chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut size = String::new();
    reader.read_line(&mut size).ok()?;
    let size = usize::from_str_radix(size.trim(), 16).ok()?;
    let mut data = vec![0; size + 2];
    reader.read_exact(&mut data).ok()?;
    data.truncate(size);
    (size > 0).then_some(data)
}
