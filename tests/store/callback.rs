//! Receivers of callbacks as they are out there: tries, what is between them, and how long each may take.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::live::{Film, World};

/// What a receiver does with a connection.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Status(u16),
    /// To an address that nobody may be sent to.
    Redirect,
    Hang,
    /// A byte of the answer each quarter of a second.
    Trickle,
    Close,
}

/// A request, when it came and what it was.
#[derive(Debug, Clone)]
struct Post {
    at: Instant,
    head: String,
    body: Vec<u8>,
}

struct Receiver {
    port: u16,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Receiver {
    /// Answers the nth request as `answer` says.
    fn start(answer: impl Fn(usize) -> Answer + Send + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let posts = Arc::<Mutex<Vec<Post>>>::default();
        let kept = Arc::clone(&posts);
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                let Some(post) = read(&mut stream) else { continue };
                kept.lock().unwrap().push(post);
                let answer = answer(n);
                std::thread::spawn(move || reply(stream, answer));
            }
        });
        Receiver { port, posts }
    }

    fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }
}

fn read(stream: &mut TcpStream) -> Option<Post> {
    let at = Instant::now();
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
        if bytes.len() >= end + 4 + length {
            return Some(Post { at, head, body: bytes[end + 4..end + 4 + length].to_vec() });
        }
    }
}

fn reply(mut stream: TcpStream, answer: Answer) {
    let text = match answer {
        Answer::Status(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Answer::Redirect => {
            "HTTP/1.1 307 X\r\nlocation: http://10.255.255.1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into()
        }
        Answer::Hang => {
            // Until the other side gives up.
            let _ = stream.read(&mut [0; 64]);
            return;
        }
        Answer::Trickle => {
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" {
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(250));
            }
            return;
        }
        Answer::Close => return,
    };
    let _ = stream.write_all(text.as_bytes());
}

/// Publishes a minute that was recorded, with this callback; its result.
fn told(film: &Film, callback: Value) -> Value {
    let world = World::new();
    let mut pod = world.claim.pod("https://school.example/");
    pod.delivery["callback"] = callback;
    world.claim.dir().write_request_once(&pod.request).unwrap();
    let mut recorder = world.recorder();
    film.record(&mut recorder, 1, &mut || {});
    recorder.stop();
    let mut publisher = pod.publisher();
    world.result(&mut publisher).1
}

/// Seconds between the beginnings of two requests.
fn apart(posts: &[Post]) -> Vec<f64> {
    posts.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64()).collect()
}

#[test]
fn receivers_of_all_kinds_are_tried_as_documented() {
    let film = Film::new();
    type Answers = fn(usize) -> Answer;
    // What it does, how often it is told, and how long from one try to the next.
    let kinds: [(&str, Answers, usize, f64, &str); 8] = [
        ("takes it", |_| Answer::Status(204), 1, 0.0, ""),
        ("500 four times", |n| Answer::Status(if n < 4 { 500 } else { 200 }), 5, 1.0, ""),
        ("500", |_| Answer::Status(500), 5, 1.0, "ERR_BAD_RESPONSE:Request failed with status code 500"),
        ("404", |_| Answer::Status(404), 5, 1.0, "ERR_BAD_REQUEST:Request failed with status code 404"),
        ("hangs", |_| Answer::Hang, 5, 3.0, "ECONNABORTED:timeout of 2000ms exceeded"),
        ("trickles", |_| Answer::Trickle, 5, 3.0, "ECONNABORTED:timeout of 2000ms exceeded"),
        ("closes", |_| Answer::Close, 5, 1.0, "ERR_NETWORK:"),
        ("redirects to a private address", |_| Answer::Redirect, 5, 1.0, "status code 307"),
    ];
    std::thread::scope(|scope| {
        for (name, answer, tries, spacing, says) in kinds {
            let film = &film;
            scope.spawn(move || {
                let receiver = Receiver::start(answer);
                let result = told(film, json!({ "url": format!("http://127.0.0.1:{}/told", receiver.port) }));
                let posts = receiver.posts();
                println!("    {name}: {} tries, {:.2?} s apart: {}", posts.len(), apart(&posts), result["result"]);
                assert_eq!(posts.len(), tries, "{name}");
                for apart in apart(&posts) {
                    assert!(apart >= spacing - 0.02 && apart <= spacing * 5.0, "{name}: {apart} s");
                }
                assert_eq!(result["phase"], "finished");
                assert_eq!(result["result"]["videos"].as_array().map(Vec::len), Some(1), "{name}");
                if says.is_empty() {
                    assert_eq!(result["result"]["errorCode"], Value::Null, "{name}");
                } else {
                    assert_eq!(result["result"]["errorCode"], "CallbackFailed", "{name}");
                    let message = result["result"]["errorMessage"].as_str().unwrap();
                    let begins = "Callback failed even all tries. last error message:";
                    assert!(message.starts_with(begins) && message.contains(says), "{name}: {message}");
                }
                let body: Value = serde_json::from_slice(&posts[0].body).unwrap();
                assert_eq!(body["Status"], "callback", "{name}");
                assert!(posts.iter().all(|post| post.body == posts[0].body), "{name}");
            });
        }
    });
}

#[test]
fn nobody_listens_and_nobody_may_be_asked() {
    let film = Film::new();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|held| held.local_addr()).unwrap();
    for (url, says) in [
        (format!("http://{free}/"), "ECONNREFUSED:"),
        ("http://10.255.255.1/".to_owned(), "ERR_ADDRESS_REFUSED:10.255.255.1 may not be reached"),
        ("http://[::ffff:10.255.255.1]/".to_owned(), "is private"),
        ("http://169.254.169.254/latest/meta-data".to_owned(), "metadata service"),
        ("http://nobody.invalid/".to_owned(), "ENOTFOUND:nobody.invalid cannot be resolved"),
    ] {
        let result = told(&film, json!({ "url": url, "attempts": 2 }));
        let message = result["result"]["errorMessage"].as_str().unwrap_or_default();
        println!("    {url}: {message}");
        assert!(message.contains(says), "{url}: {message}");
    }
}

#[test]
fn a_callback_is_signed_and_has_the_receivers_own_headers() {
    let film = Film::new();
    let receiver = Receiver::start(|n| Answer::Status(if n == 0 { 503 } else { 200 }));
    let secret = tempfile::NamedTempFile::new().unwrap();
    let key = "0123456789abcdef0123456789abcdef";
    let holds = json!({ "signingKey": key, "headers": { "Authorization": "Bearer of tests" } });
    std::fs::write(secret.path(), holds.to_string()).unwrap();
    let url = format!("http://127.0.0.1:{}/told", receiver.port);
    let result =
        told(&film, json!({ "url": url, "secret": secret.path(), "attempts": 9, "timeoutMs": 5000, "pauseMs": 300 }));
    assert_eq!(result["result"]["errorCode"], Value::Null, "{result}");
    let posts = receiver.posts();
    assert_eq!(posts.len(), 2);
    for post in posts {
        let header =
            |name: &str| post.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned);
        assert_eq!(header("authorization").as_deref(), Some("bearer of tests"));
        let timestamp = header("x-panorec-timestamp").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(&post.body);
        let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(header("x-panorec-signature"), Some(format!("sha256={digest}")));
        let now = jiff::Timestamp::now().as_second();
        assert!((now - timestamp.parse::<i64>().unwrap()).abs() < 60);
    }
}
