//! Many streams at once, from publishers that are none: a figure of the operator alone, on a control
//! plane without a node. `make test-cluster ONLY='--ignored five_hundred_streams'`.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::media::checks::Checks;
use crate::support::cluster::{apply, get};
use crate::support::{Operator, Space, wait};

const COUNT: usize = 500;

/// Answers as a publisher does, on every address of the loopback: a journal, then signs of life.
fn serve() {
    let listener = TcpListener::bind(("0.0.0.0", 7262)).expect("the publishers' port");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::Builder::new().stack_size(64 << 10).spawn(move || drop(answer(stream))).expect("a thread");
        }
    });
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
        request.push_str(&line);
    }
    if request.starts_with("PUT") {
        std::io::Read::read_exact(&mut reader, &mut vec![0; length])?;
        return write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\n{{\"taken\":true}}");
    }
    stream.write_all(&JOURNAL)?;
    loop {
        std::thread::sleep(Duration::from_secs(5));
        writeln!(stream, "{}", json!({ "mark": "alive" }))?;
    }
}

/// What each of them answers at first: made once, for the machine is the operator's.
static JOURNAL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n".to_owned();
    for line in journal().iter().chain(&[json!({ "mark": "caughtUp" })]) {
        answer.push_str(&format!("{line}\n"));
    }
    answer.into_bytes()
});

/// A recording of an hour: figures each ten seconds.
fn journal() -> Vec<Value> {
    let mut offset = 0;
    let mut line = |second: u64, event: Value| {
        offset += 100;
        let at = jiff::Timestamp::from_second(1_795_000_000 + second as i64).expect("a time");
        let mut entry = json!({ "v": 1, "at": { "wall": at, "monoUs": second * 1_000_000 } });
        for (key, value) in event.as_object().expect("an event") {
            entry[key] = value.clone();
        }
        json!({ "half": "recorder", "run": 1, "offset": offset, "entry": entry })
    };
    let mut lines = vec![
        line(0, json!({ "event": "runStarted", "run": 1, "older": [] })),
        line(1, json!({ "event": "browserStarted", "version": "Chrome/1", "sandboxed": true, "display": "xorg" })),
        line(2, json!({ "event": "pageLoaded" })),
        line(3, json!({ "event": "partOpened", "part": "1-1.webm", "videoUs": 0 })),
    ];
    for second in (10..3600).step_by(10) {
        let figures =
            json!({ "event": "figures", "frames": second * 30, "droppedFrames": 0, "longestFreezeUs": 40_000 });
        lines.push(line(second, figures));
    }
    lines
}

#[test]
#[ignore = "takes long: run once for its figure"]
fn five_hundred_streams_catch_up_after_a_failover() {
    let mut checks = Checks::default();
    serve();
    let space = Space::new("standins");
    let mut operator = Operator::start(&space, &["--reach", "direct", "--claim", "panorec"]);
    let items: Vec<Value> =
        (0..COUNT).map(|n| space.recording(&format!("lesson-{n:03}"), "https://school.example/", json!({}))).collect();
    for chunk in items.chunks(50) {
        apply(&json!({ "apiVersion": "v1", "kind": "List", "items": chunk })).expect("applied");
    }
    // The Job controller makes the pods; what a kubelet would say of them is said here.
    let pods = wait("all pods", Duration::from_secs(600), || {
        let pods = space.get("pods");
        (pods.len() == COUNT).then_some(pods)
    });
    for (n, pod) in pods.iter().enumerate() {
        let name = pod["metadata"]["name"].as_str().expect("a name");
        let running = |name: &str| {
            json!({ "name": name, "image": "", "imageID": "", "ready": true, "restartCount": 0,
                "state": { "running": { "startedAt": "2026-11-25T00:00:00Z" } } })
        };
        let address = format!("127.1.{}.{}", n / 250, n % 250 + 1);
        let status = json!({ "status": { "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }],
            "initContainerStatuses": [running("folder"), running("recorder"), running("publisher")] } });
        space.kubectl(&["patch", "pod", name, "--subresource=status", "--type=merge", "-p", &status.to_string()]);
    }
    let recording = || {
        let all = get(&["recordings", "-n", &space.name]);
        all["items"].as_array().map_or(0, |all| all.iter().filter(|one| one["status"]["phase"] == "recording").count())
    };
    wait("all to record", Duration::from_secs(300), || (recording() == COUNT).then_some(()));
    operator.kill();
    let began = Instant::now();
    operator.begin();
    operator.leads();
    let led = began.elapsed();
    let open = wait("all streams", Duration::from_secs(60), || {
        let state = operator.state()?;
        let streams = state["leading"]["streams"].as_array()?;
        let caught_up = streams.iter().filter(|stream| stream["caughtUp"] == true).count();
        (caught_up == COUNT).then_some(began.elapsed())
    });
    println!(
        "    leads after {:.2} s, all {COUNT} streams have caught up after {:.2} s",
        led.as_secs_f64(),
        open.as_secs_f64()
    );
    println!("    memory: {}", operator.memory());
    checks.soon("caught up", open, Duration::from_secs(5));
    checks.done();
}
