//! Clients that want to do harm: nothing of it is a server error, and others are served meanwhile.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::place::{Place, end};

/// Asks on a connection that stays; the status and the body.
struct Kept(BufReader<TcpStream>);

impl Kept {
    fn connect(address: &str) -> Kept {
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        stream.set_nodelay(true).expect("set");
        Kept(BufReader::new(stream))
    }

    fn post(&mut self, body: &[u8]) -> (u16, Vec<u8>) {
        let head = format!("POST /record HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat()).expect("sent");
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).expect("an answer") > 0, "the connection was dropped");
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().expect("a status");
            }
            if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = told.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).expect("a body");
        (status, answer)
    }
}

/// How long an ordinary request takes.
fn asked(address: &str) -> Duration {
    let began = Instant::now();
    let (status, _) = Kept::connect(address).post(br#"{"Action": "List"}"#);
    assert_eq!(status, 200);
    began.elapsed()
}

fn memory_mib(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") >> 10
}

/// What no gateway likes: too long, too slow, too many.
#[test]
fn others_are_served_while_some_do_harm() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    assert!(most > 10_500, "only {most} files may be open here");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("raised");
    let place = Place::new(&[]);
    let run = place.serve();
    let address = place.address();
    let before = memory_mib(run.pid());
    // One byte of a head at a time, heads that never end, and nothing at all.
    let mut slow: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(&address).expect("connected")).collect();
    for stream in &mut slow {
        stream.write_all(b"POST /record HTTP/1.1\r\nHost: x\r\nX-Slow: ").expect("sent");
    }
    let idle: Vec<TcpStream> = (0..10_000).map(|_| TcpStream::connect(&address).expect("connected")).collect();
    for stream in &mut slow {
        stream.write_all(b"a").expect("sent");
    }
    let took = asked(&address);
    println!("    beside {} idle and {} slow connections: {:.1} ms", idle.len(), slow.len(), took.as_secs_f64() * 1e3);
    println!("    memory: {before} MiB, then {} MiB", memory_mib(run.pid()));
    assert!(took < Duration::from_secs(2), "{took:?}");
    drop((idle, slow));
    let before = memory_mib(run.pid());

    let body = vec![b'['; 100 << 20];
    let (status, answer) = Kept::connect(&address).post(&body);
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!((status, &answer["ErrorCode"]), (200, &json!("InvalidParam")), "{answer}");
    let after = memory_mib(run.pid());
    println!("    a body of 100 MiB: {before} MiB, then {after} MiB");
    assert!(after < before + 32, "{before} MiB, then {after} MiB");
    end(run);
}

/// A stream of numbers, always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

/// Bodies that once were right, changed at random: each is answered, and none with a server error.
#[test]
fn whatever_is_sent_is_answered() {
    let bodies: usize = std::env::var("PANOREC_TEST_BODIES").map_or(100_000, |text| text.parse().expect("a number"));
    let place = Place::new(&[]);
    let run = place.serve();
    let (address, seed) = (place.address(), 0x9e37_79b9_7f4a_7c15_u64);
    let right = json!({"Action": "Start", "TaskID": "0d9c7f5e-6a1b-4c3d-9e8f-7a6b5c4d3e2f", "Data": {
        // Nothing that could be recorded.
        "RecordURL": "gopher://school.example", "Width": "1280", "Height": 720, "MaxDurationLimit": 60,
        "Output": {"Cos": {"TargetDir": "a/", "TargetName": "b"}, "Vod": {"SubAppId": "7", "MediaInfo": {"ClassId": 1}},
                   "Video": {"Muxer": "hls", "EncryptKey": "21834cca41778803e1afba3f41e70c90", "AuthUrl": "https://a"}},
    }});
    let right = right.to_string().into_bytes();
    let pieces: [&[u8]; 14] = [
        b"{",
        b"}",
        b"[",
        b"\"",
        b":",
        b",",
        b"null",
        b"1e999",
        b"-",
        b"\\ud800",
        b"\xff",
        b"\0",
        b"\"Action\":\"List\",",
        b"\"TaskID\":[[[[",
    ];
    std::thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (address, right) = (&address, &right);
            scope.spawn(move || {
                let (mut dice, mut connection) = (Dice(seed + worker), Kept::connect(address));
                for _ in 0..bodies / 4 {
                    let mut body = right.clone();
                    for _ in 0..=dice.roll(6) {
                        let at = dice.roll(body.len().max(1)).min(body.len());
                        match dice.roll(3) {
                            0 => body.truncate(at),
                            1 => drop(body.splice(at..(at + dice.roll(9)).min(body.len()), [])),
                            _ => drop(body.splice(at..at, pieces[dice.roll(pieces.len())].iter().copied())),
                        }
                    }
                    let (status, answer) = connection.post(&body);
                    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
                    let fits = answer.get("Response").unwrap_or(&answer)["RequestID"].is_string();
                    assert!(status == 200 && fits, "{status} {answer} to {:?}", String::from_utf8_lossy(&body));
                }
            });
        }
    });
    println!("    {bodies} bodies; {} MiB", memory_mib(run.pid()));
    end(run);
}
