//! A static server for the pages, with the ways a server can misbehave.
//!
//! `/…` is kit/pages, `/media/…` the generated files, `/extra/…` a folder of the test, `/player/…`
//! the page that plays a finished video, and
//! `/status/N`, `/redirect?to=…`, `/slow?seconds=…`, `/silent` what they say; `/fails?at=N` is the
//! clock page, but the Nth time an error;
//! `/download` is none, `/wants-login` says 401 and asks. `/headers` answers anybody
//! with the headers of the request, as JSON.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{here, kit_media, player};

/// Answers a POST: body in, status and body out.
pub type Answer = Box<dyn Fn(&[u8]) -> (u16, Vec<u8>) + Send + Sync>;

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    extra: Option<PathBuf>,
    answers: HashMap<String, Answer>,
    posted: Mutex<Vec<(String, Vec<u8>)>>,
    news: Condvar,
    asked: Mutex<Vec<String>>,
}

/// Serves until it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start() -> Server {
        Server::with(None, HashMap::new())
    }

    /// `extra` is served under /extra/; `answers` answer POST to their path.
    pub fn with(extra: Option<PathBuf>, answers: HashMap<String, Answer>) -> Server {
        Server::on("127.0.0.1", extra, answers)
    }

    /// Serves on an address of this machine.
    pub fn on(host: &str, extra: Option<PathBuf>, answers: HashMap<String, Answer>) -> Server {
        kit_media();
        let listener = TcpListener::bind((host, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared { extra, answers, ..Shared::default() });
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                for stream in listener.incoming().flatten() {
                    if shared.stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let shared = shared.clone();
                    // A client that goes away in the middle of a file is no news.
                    std::thread::spawn(move || drop(serve(stream, &shared)));
                }
            }
        });
        Server { address, shared, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Paths asked for so far, with their queries.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().expect("not poisoned").clone()
    }

    /// Waits for a POST to `path` and takes its body.
    pub fn posted(&self, path: &str, deadline: Duration) -> Option<Vec<u8>> {
        let until = Instant::now() + deadline;
        let mut posted = self.shared.posted.lock().expect("not poisoned");
        loop {
            if let Some(place) = posted.iter().position(|(at, _)| at == path) {
                return Some(posted.remove(place).1);
            }
            let left = until.checked_duration_since(Instant::now())?;
            posted = self.shared.news.wait_timeout(posted, left).expect("not poisoned").0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // wakes the accepting thread
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Request {
    method: String,
    path: String,
    query: HashMap<String, String>,
    /// By their names in lower case.
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

fn read_request(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or("/"));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        headers: HashMap::new(),
        body: Vec::new(),
    };
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        let Some((name, value)) = header.trim().split_once(':') else {
            continue;
        };
        request.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = request.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some(request) = read_request(&mut reader)? {
        let query: Vec<String> = request.query.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let asked = format!("{}?{}", request.path, query.join("&"));
        shared.asked.lock().expect("not poisoned").push(asked.trim_end_matches('?').to_owned());
        answer(&mut stream, &request, shared)?;
    }
    Ok(())
}

fn answer(stream: &mut TcpStream, request: &Request, shared: &Shared) -> std::io::Result<()> {
    if request.method == "POST" {
        let (status, body) = match shared.answers.get(&request.path) {
            Some(answer) => answer(&request.body),
            None => (200, Vec::new()),
        };
        let posted = (request.path.clone(), request.body.clone());
        shared.posted.lock().expect("not poisoned").push(posted);
        shared.news.notify_all();
        return respond(stream, status, &[], "application/json", &body);
    }
    let path = request.path.trim_start_matches('/');
    if let Some(status) = path.strip_prefix("status/") {
        let status = status.parse().unwrap_or(500);
        return respond(stream, status, &[], "text/html", b"<h1>no such lesson</h1>");
    }
    match path {
        "redirect" => {
            let to = request.query.get("to").map_or("/", String::as_str);
            return respond(stream, 302, &[("Location", to)], "text/plain", b"");
        }
        "fails" => {
            let asked = shared.asked.lock().expect("not poisoned");
            let times = asked.iter().filter(|asked| asked.starts_with("/fails")).count();
            drop(asked);
            if request.query.get("at").and_then(|at| at.parse().ok()) == Some(times) {
                return respond(stream, 503, &[], "text/html", b"<h1>come back later</h1>");
            }
            return send_file(stream, &here().join("kit/pages/clock.html"), None);
        }
        "download" => {
            let kept = [("Content-Disposition", "attachment; filename=lesson.bin")];
            return respond(stream, 200, &kept, "application/octet-stream", b"lesson");
        }
        "wants-login" => {
            let challenge = [("WWW-Authenticate", "Basic realm=\"lesson\"")];
            return respond(stream, 401, &challenge, "text/html", b"<h1>who are you?</h1>");
        }
        "headers" => {
            let body = serde_json::to_vec(&request.headers).expect("texts");
            let all = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Headers", "*")];
            return respond(stream, 200, &all, "application/json", &body);
        }
        "silent" => {
            // Accepts and never answers, until the test is over.
            while !shared.stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
            }
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        "slow" => {
            let seconds = request.query.get("seconds").and_then(|s| s.parse().ok()).unwrap_or(3.0);
            std::thread::sleep(Duration::from_secs_f64(seconds));
            return send_file(stream, &here().join("kit/pages/clock.html"), None);
        }
        _ => {}
    }
    let (folder, rest) = match (path.strip_prefix("media/"), path.strip_prefix("extra/")) {
        (Some(rest), _) => (kit_media().to_owned(), rest),
        (_, Some(rest)) => (shared.extra.clone().unwrap_or_default(), rest),
        _ => (here().join("kit/pages"), path),
    };
    let file = match path {
        "player/hls.js" => player::hls_js().to_owned(),
        "player/play.html" => here().join("player/play.html"),
        _ => folder.join(rest),
    };
    if rest.contains("..") || !file.is_file() {
        return respond(stream, 404, &[], "text/html", b"<h1>not found</h1>");
    }
    send_file(stream, &file, request.headers.get("range").map(String::as_str))
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()).unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "ts" => "video/mp2t",
        "m3u8" => "application/vnd.apple.mpegurl",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}

fn send_file(stream: &mut TcpStream, file: &Path, range: Option<&str>) -> std::io::Result<()> {
    let mut data = File::open(file)?;
    let length = data.metadata()?.len();
    let kind = content_type(file);
    let Some((first, last)) = range.and_then(|range| parse_range(range, length)) else {
        let mut body = Vec::new();
        data.read_to_end(&mut body)?;
        return respond(stream, 200, &[("Accept-Ranges", "bytes")], kind, &body);
    };
    data.seek(SeekFrom::Start(first))?;
    let mut body = vec![0; (last - first + 1) as usize];
    data.read_exact(&mut body)?;
    let place = format!("bytes {first}-{last}/{length}");
    respond(stream, 206, &[("Accept-Ranges", "bytes"), ("Content-Range", &place)], kind, &body)
}

/// `bytes=FIRST-[LAST]`, clipped to the file.
fn parse_range(range: &str, length: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first: u64 = first.parse().ok()?;
    let last = last.parse().unwrap_or(u64::MAX).min(length.checked_sub(1)?);
    (first <= last).then_some((first, last))
}

fn respond(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&str, &str)],
    kind: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n",
        body.len()
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.write_all(body)
}
