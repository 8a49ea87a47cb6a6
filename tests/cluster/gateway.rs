//! The Action API over Recordings of a real cluster.

use std::collections::HashMap;
use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use panorec::gateway::auth::{Algorithm, Outgoing, sign};
use serde_json::{Value, json};

use crate::basics::pages;
use crate::client::Client;
use crate::conformance;
use crate::media::Server;
use crate::media::checks::Checks;
use crate::rest;
use crate::support::cluster::{get, pages_host};
use crate::support::gateway::Gateway;
use crate::support::{Operator, Space, kubectl, kubectl_may_fail, wait};

#[test]
fn a_task_from_start_to_callback() {
    let mut checks = Checks::default();
    let answers: HashMap<String, crate::media::server::Answer> =
        HashMap::from([("/callback".to_owned(), Box::new(|_: &[u8]| (200u16, Vec::<u8>::new())) as _)]);
    let server = Server::on(&pages_host(), None, answers);
    let space = Space::new("gateway");
    let _operator = Operator::start(&space, &[]);
    let gateway = Gateway::start(&space, &[]);
    let began = Instant::now();
    let task = gateway.record(json!({ "RecordURL": server.url("clock.html"), "CallbackURL": server.url("callback"),
        "Width": "1280", "Height": 720, "MaxDurationLimit": 0 }));
    println!("    Start answered after {:.3} s", began.elapsed().as_secs_f64());
    let recordings = space.get("recordings");
    checks.that("the Recording's name", recordings[0]["metadata"]["name"] == task.as_str(), &task);
    gateway.until(&task, "recording", 60);
    std::thread::sleep(Duration::from_secs(2));
    let of_task = |action: &str| gateway.act(action, json!({ "TaskID": task }));
    checks.that("Pause", of_task("Pause")["TaskID"] == task.as_str(), "");
    gateway.until(&task, "paused", 20);
    checks.that("Pause again", of_task("Pause")["ErrorCode"].is_null(), "");
    checks.that("Resume", of_task("Resume")["ErrorCode"].is_null(), "");
    gateway.until(&task, "recording", 20);
    checks.that("Refresh", of_task("Refresh")["ErrorCode"].is_null(), "");
    wait("the reload", Duration::from_secs(20), || {
        (server.asked().iter().filter(|asked| asked.starts_with("/clock.html")).count() >= 2).then_some(())
    });
    std::thread::sleep(Duration::from_secs(2));
    checks.that("Stop", of_task("Stop")["ErrorCode"].is_null(), "");
    let stopped = of_task("Describe");
    let at_once = stopped["Status"] != "recording" && stopped["CancelTime"].is_u64();
    checks.that("canceled at once", at_once, &stopped);
    checks.that("Stop again", of_task("Stop")["ErrorCode"].is_null(), "");
    let late = of_task("Pause");
    let words = late["ErrorMessage"].as_str().unwrap_or_default();
    checks.that(
        "Pause is late",
        late["ErrorCode"] == "InvalidStatus" && words.starts_with("can't pause a task"),
        &late,
    );
    let (finished, seen) = gateway.until(&task, "finished", 60);
    println!("    seen from the stop on: {seen:?}");
    let time = |name: &str| finished[name].as_i64().unwrap_or_default();
    let times = ["CreateTime", "StartTime", "CancelTime", "StopTime", "FinishTime"].map(time);
    checks.that("times in order", times[0] > 1_700_000_000 && times.is_sorted(), format!("{times:?}"));
    let video = &finished["Result"]["Videos"][0];
    let has_all = video["Filename"].is_string() && video["FileSize"].as_u64() > Some(10_000);
    checks.that("the video", has_all && video["FileDuration"].as_f64() > Some(3.0), &finished["Result"]);
    let posted = server.posted("/callback", Duration::from_secs(10)).expect("a callback");
    let posted: Value = serde_json::from_slice(&posted).expect("JSON");
    let same =
        posted["Result"] == finished["Result"] && posted["Status"] == "callback" && posted["TaskID"] == task.as_str();
    checks.that("the callback", same && posted["RequestID"].is_null(), &posted);
    let listed = gateway.act("List", json!({ "Status": "finished" }));
    checks.that("List", listed["Total"] == 1 && listed["Tasks"][0]["TaskID"] == task.as_str(), &listed);
    let detail = of_task("DescribeDetail");
    checks.that("DescribeDetail", detail["Data"]["RecordURL"] == server.url("clock.html"), &detail);
    checks.done();
}

/// The same suite as for `panorec serve`.
#[test]
fn conforms_to_the_action_api() {
    let slow: crate::media::server::Answer = Box::new(conformance::slowly());
    let server = Server::on(&pages_host(), None, HashMap::from([("/slow".to_owned(), slow)]));
    let pages = conformance::Pages { page: server.url("clock.html"), slow_callback: server.url("slow") };
    let space = Space::new("conforms");
    let _operator = Operator::start(&space, &[]);
    let gateway = Gateway::start(&space, &[]);
    let client = Client::of(gateway.url().trim_start_matches("http://"));
    conformance::envelope(&client);
    conformance::validation(&client);
    conformance::no_task(&client);
    conformance::lenient(&client, &pages);
    conformance::names(&client, &pages);
    conformance::statuses(&client, &pages);
    conformance::lists(&client, &pages);
    rest::refusals(&client);
    rest::life(&client, &pages);
    rest::around(&client, &client);

    let task = gateway.record(json!({ "RecordURL": pages.page, "ManualStart": true }));
    let mut events = rest::Events::of(&client, &format!("/v1/recordings/{task}"));
    assert_eq!(events.next().expect("an event").0, "status");
    kubectl(&["-n", &space.name, "delete", "recording", &task, "--wait=false"]);
    // What is deleted is finished first, where it is told of that in time.
    let told: Vec<_> = std::iter::from_fn(|| events.next()).collect();
    let (name, data) = told.last().expect("an end");
    assert!(name == "gone" || data["Status"] == "finished", "{told:?}");
}

/// A client that lost its answer asks again, whatever became of the gateway meanwhile.
#[test]
fn a_gateway_killed_in_the_middle_of_a_start_makes_no_second_recording() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("retried");
    let mut gateway = Gateway::start(&space, &[]);
    for round in 0..8 {
        let data = json!({ "RecordURL": server.url("static.html"), "ClientToken": format!("try-{round}") });
        let body = json!({ "Action": "Start", "Data": data.clone() }).to_string();
        let mut asked = TcpStream::connect(gateway.url().trim_start_matches("http://")).expect("connected");
        write!(asked, "POST /record HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .expect("sent");
        // At a different moment each time: before, while and after the object is made.
        std::thread::sleep(Duration::from_millis(2 * round));
        gateway.kill();
        gateway.begin();
        let task = gateway.record(data.clone());
        checks.that("the same again", gateway.record(data) == task, &task);
    }
    let made = space.get("recordings").len();
    checks.that("recordings", made == 8, made);
    let taken = gateway.record(json!({ "RecordURL": server.url("static.html"), "ClientToken": "another" }));
    let body = json!({ "Action": "Start", "TaskID": taken, "Data": { "RecordURL": server.url("static.html") } });
    let refused = gateway.client().ask("POST", "/record", body.to_string().as_bytes()).json();
    checks.that("an id that is taken", refused["ErrorCode"] == "InternalError", &refused);
    checks.done();
}

/// What clients bring that is secret goes into a Secret, and nobody but the pod reads it.
#[test]
fn keys_go_into_a_secret_that_the_gateway_cannot_read() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("secrets");
    let _operator = Operator::start(&space, &[]);
    let gateway = Gateway::start(&space, &[]);
    let key = "21834cca41778803e1afba3f41e70c90";
    let video = json!({ "Muxer": "hls", "EncryptKey": key, "AuthUrl": "https://keys.example/lesson" });
    let task = gateway
        .record(json!({ "RecordURL": server.url("clock.html"), "MaxDurationLimit": 8, "Output": { "Video": video } }));
    let secret = get(&["secret", &task, "-n", &space.name]);
    checks.that("its owner", secret["metadata"]["ownerReferences"][0]["name"] == task.as_str(), &task);
    let spec = space.get("recordings")[0]["spec"].to_string();
    checks.that("no key in the Recording", !spec.contains(key), &spec);
    let detail = gateway.act("DescribeDetail", json!({ "TaskID": task })).to_string();
    checks.that("nor in what is shown", !detail.contains(key), &detail);
    let account = format!("--as=system:serviceaccount:{}:panorec-gateway", space.name);
    for verb in ["get", "list", "watch"] {
        let may = kubectl_may_fail(&["auth", "can-i", verb, "secrets", "-n", &space.name, &account]);
        checks.that(&format!("may not {verb} Secrets"), !may.status.success(), String::from_utf8_lossy(&may.stdout));
    }
    let (finished, _) = gateway.until(&task, "finished", 90);
    let name = finished["Result"]["Videos"][0]["Filename"].as_str().unwrap_or_default();
    checks.that("a list", name == "playlist.m3u8", &finished);
    let uid = space.get("recordings")[0]["metadata"]["uid"].as_str().expect("a UID").to_owned();
    let output = space.folder().join(&space.name).join(&task).join(uid).join("publisher/output");
    let list = std::fs::read_to_string(output.join("playlist.m3u8")).expect("the list");
    checks.that("encrypted", list.contains("METHOD=AES-128,URI=\"https://keys.example/lesson\""), &list);
    checks.done();
}

/// Two gateways over one cluster: what one was told shows on the other as soon as its watch tells.
#[test]
fn a_second_gateway_shows_it_a_moment_later() {
    let mut checks = Checks::default();
    let server = pages();
    let space = Space::new("two-gateways");
    let (one, other) = (Gateway::start(&space, &[]), Gateway::start(&space, &[]));
    let mut lags = Vec::new();
    for _ in 0..20 {
        let task = one.record(json!({ "RecordURL": server.url("static.html") }));
        // Unknown there, it is asked for.
        let found = other.act("Describe", json!({ "TaskID": task }));
        assert_eq!(found["Status"], "normal", "found at once: {found}");
        one.act("Stop", json!({ "TaskID": task }));
        let own = one.act("Describe", json!({ "TaskID": task }));
        assert_eq!(own["Status"], "canceled", "at once where it was said: {own}");
        let began = Instant::now();
        other.until(&task, "canceled", 10);
        lags.push(began.elapsed().as_secs_f64());
    }
    lags.sort_by(f64::total_cmp);
    println!("    on the other after {:.3} s (median), {:.3} s at worst", lags[10], lags[19]);
    checks.that("within a second", lags[10] < 1.0, lags[10]);
    checks.done();
}

/// A client that signs, on a connection that it keeps.
struct Signer {
    stream: std::io::BufReader<TcpStream>,
    secret: panorec::gateway::Secret,
}

impl Signer {
    fn connect(gateway: &Gateway) -> Signer {
        let stream = TcpStream::connect(gateway.url().trim_start_matches("http://")).expect("connected");
        stream.set_nodelay(true).expect("set");
        Signer { stream: std::io::BufReader::new(stream), secret: panorec::gateway::Secret::new(SECRET.to_owned()) }
    }

    /// Asks, and gives the body of the answer and how long that took.
    fn ask(&mut self, body: &str) -> (Vec<u8>, Duration) {
        let outgoing = Outgoing {
            method: "POST",
            path: "/record",
            query: None,
            accept: "application/json",
            content_type: "application/json",
            body: body.as_bytes(),
        };
        let signed = sign(&outgoing, KEY_ID, &self.secret, Algorithm::Sha256, jiff::Timestamp::now()).expect("signed");
        let request = format!(
            "POST /record HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nContent-Type: application/json\r\n\
             x-date: {}\r\nContent-MD5: {}\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n{body}",
            signed.x_date,
            signed.content_md5.unwrap_or_default(),
            signed.authorization,
            body.len()
        );
        let began = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).expect("sent");
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            assert!(self.stream.read_line(&mut line).expect("an answer") > 0, "closed");
            if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = told.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).expect("a body");
        (answer, began.elapsed())
    }
}

const KEY_ID: &str = "one";
const SECRET: &str = "a secret of the tests alone";

fn percentile(times: &mut [Duration], share: f64) -> f64 {
    times.sort();
    times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
}

#[test]
#[ignore = "takes minutes: run once for its figures"]
fn ten_thousand_tasks_and_sixty_four_clients() {
    const TASKS: usize = 10_000;
    const CLIENTS: usize = 64;
    let space = Space::new("load");
    let scratch = crate::media::Scratch::new();
    let keys = scratch.join("keys.json");
    std::fs::write(&keys, json!({ "keys": [{ "id": KEY_ID, "secret": SECRET }] }).to_string()).expect("the keys");
    let gateway = Gateway::start(&space, &["--keys", &keys.display().to_string()]);
    let start = |n: usize| json!({ "Action": "Start", "Data": { "RecordURL": format!("https://school.example/{n}") } });
    let task_of = |answer: &[u8]| -> String {
        let answer: Value = serde_json::from_slice(answer).expect("JSON");
        answer["TaskID"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    let mut one = Signer::connect(&gateway);
    let mut tasks = Vec::new();
    let mut times = Vec::new();
    for n in 0..500 {
        let (answer, took) = one.ask(&start(n).to_string());
        tasks.push(task_of(&answer));
        times.push(took);
    }
    println!(
        "    Start, one after the other: p50 {:.1} ms, p99 {:.1} ms",
        percentile(&mut times, 0.5),
        percentile(&mut times, 0.99)
    );
    let rest = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                let gateway = &gateway;
                let start = &start;
                let task_of = &task_of;
                scope.spawn(move || {
                    let mut signer = Signer::connect(gateway);
                    (500 + worker..TASKS)
                        .step_by(8)
                        .map(|n| task_of(&signer.ask(&start(n).to_string()).0))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect::<Vec<_>>()
    });
    tasks.extend(rest);
    println!("    {} tasks; the gateway has {}", tasks.len(), gateway.memory());
    let (tasks, gateway) = (&tasks, &gateway);
    let until = Instant::now() + Duration::from_secs(20);
    let began = Instant::now();
    let mut times = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn(move || {
                    let mut signer = Signer::connect(gateway);
                    let mut times = Vec::new();
                    let mut n = client * 157;
                    while Instant::now() < until {
                        let body = json!({ "Action": "Describe", "Data": { "TaskID": tasks[n % TASKS] } }).to_string();
                        let (answer, took) = signer.ask(&body);
                        assert!(
                            answer.windows(8).any(|part| part == b"\"normal\""),
                            "{}",
                            String::from_utf8_lossy(&answer)
                        );
                        times.push(took);
                        n += 1;
                    }
                    times
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect::<Vec<_>>()
    });
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    println!(
        "    Describe by {CLIENTS}: {rate:.0} a second, p50 {:.1} ms, p99 {:.1} ms; the gateway has {}",
        percentile(&mut times, 0.5),
        percentile(&mut times, 0.99),
        gateway.memory()
    );
    // The first connection was idle for too long.
    let mut one = Signer::connect(gateway);
    let (answer, took) = one.ask(&json!({ "Action": "List", "Data": {} }).to_string());
    println!("    List of all: {} KiB after {:.0} ms", answer.len() >> 10, took.as_secs_f64() * 1e3);
}
