//! What networks and stores do between the publisher and the bucket: what passes is outlasted, what does not is told,
//! and nothing that was recorded is lost by it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use panorec::store::{S3Error, StoreError};
use serde_json::json;

use crate::live::{Film, World};
use crate::proxy::{Proxy, Seen, Verdict, strict};
use crate::server::Server;
use crate::sessions::{inside_mounts, publish, published, recorded};
use crate::{MIB, Place, Remembered, deliver};

/// A slow line: so many bytes a second towards the store, over all connections.
struct SlowLine {
    url: String,
}

impl SlowLine {
    fn to(store: String, bytes_per_second: usize) -> SlowLine {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let line = Arc::new(std::sync::Mutex::new(()));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&store) else { continue };
                let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { continue };
                let line = Arc::clone(&line);
                std::thread::spawn(move || pump(from_client, server, Some((line, bytes_per_second))));
                std::thread::spawn(move || pump(from_server, client, None));
            }
        });
        SlowLine { url }
    }
}

type Line = Arc<std::sync::Mutex<()>>;

fn pump(mut from: TcpStream, mut to: TcpStream, limit: Option<(Line, usize)>) {
    let mut chunk = vec![0; 8 << 10];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        if let Some((line, bytes_per_second)) = &limit {
            // One at a time: the line is shared.
            let _taken = line.lock().expect("not poisoned");
            std::thread::sleep(Duration::from_secs_f64(read as f64 / *bytes_per_second as f64));
        }
        if to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn a_slow_line_takes_its_time() {
    let (server, place) = (Server::start(), Place::new());
    let line = SlowLine::to(server.address(), 200_000);
    let file = place.file("slow.mp4", 10 * MIB);
    let began = Instant::now();
    deliver(&place.destination(&line.url), &Remembered::default(), &file).expect("delivered");
    println!("    10 MiB at 200 kB/s: {:.1} s", began.elapsed().as_secs_f64());
    assert!(began.elapsed() > Duration::from_secs(40), "the line is not slow");
    assert_eq!(server.read("2026/maths/slow.mp4"), std::fs::read(&file).expect("read"));
}

#[test]
fn a_wrong_clock_is_told() {
    let (server, place) = (Server::start(), Place::new());
    let proxy = Proxy::before(server.address(), |_| {
        let said = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large</Message></Error>";
        Verdict::Answer(403, said.into())
    });
    let error = deliver(&place.destination(&proxy.url()), &Remembered::default(), &place.file("a.mp4", MIB))
        .expect_err("refused");
    assert!(matches!(error, StoreError::S3(S3Error::Clock { .. })), "{error}");
    println!("    {error}");
}

/// The machine's clock is an hour ahead, for this command alone: the store says so, and is believed.
#[test]
fn a_clock_that_is_an_hour_ahead_costs_no_video() {
    let (server, place) = (Server::start(), Place::new());
    let proxy = Proxy::before(server.address(), strict);
    let session = recorded(&place, place.destination(&proxy.url()), 1);
    let library = std::fs::read_dir("/usr/lib")
        .expect("/usr/lib")
        .flatten()
        .map(|folder| folder.path().join("faketime/libfaketime.so.1"))
        .find(|library| library.is_file());
    let mut ahead = publish(&session);
    ahead.env("LD_PRELOAD", library.expect("libfaketime (make setup installs it)"));
    ahead.envs([("FAKETIME", "+1h"), ("DONT_FAKE_MONOTONIC", "1")]);
    let (code, _, said) = published(ahead);
    assert_eq!(code, Some(0), "{said}");
    let seen = proxy.seen();
    let hour = |seen: &Seen| seen.header("x-amz-date").get(9..11).map(str::to_owned);
    println!("    signed at {:?} and then at {:?} h", hour(&seen[0]), hour(&seen[seen.len() - 1]));
    assert_ne!(hour(&seen[0]), hour(&seen[seen.len() - 1]), "{seen:#?}");
    let made = std::fs::read(session.join("publisher/output/lesson.mp4")).expect("the video");
    assert!(server.read("2026/maths/lesson.mp4") == made, "not the same bytes");
}

/// The disk of the session has no room for the video.
#[test]
fn a_full_disk_is_told_and_the_video_is_delivered_once_there_is_room() {
    let (server, place) = (Server::start(), Place::new());
    let session = recorded(&place, place.destination(&server.url()), 10);
    let parts = std::fs::metadata(session.join("recorder/parts/1-1.webm")).expect("a part").len();
    // A copy of it on a disk with room for half a video more.
    let small = place.path().join("small");
    std::fs::create_dir(&small).expect("a folder");
    let mount = format!(
        "mount -t tmpfs -o size={} panorec-test {small} && cp -a {}/. {small}",
        parts + parts / 2,
        session.display(),
        small = small.display()
    );
    let (code, _, said) = published(inside_mounts(&mount, &small));
    println!("    {}", said.lines().find(|line| line.starts_with("panorec: ")).unwrap_or_default());
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("disk") && said.contains("make room and publish again"), "{said}");
    let (code, _, said) = published(publish(&session));
    assert_eq!(code, Some(0), "{said}");
    let made = std::fs::read(session.join("publisher/output/lesson.mp4")).expect("the video");
    assert!(server.read("2026/maths/lesson.mp4") == made, "not the same bytes");
}

/// The store says no from some moment on: what was recorded is kept, and is delivered once that is mended.
#[test]
fn what_a_store_refuses_in_the_middle_is_delivered_once_it_is_mended() {
    let (film, server, world) = (Film::new(), Server::start(), World::new());
    let allowed = Arc::new(AtomicBool::new(true));
    let judge = Arc::clone(&allowed);
    let mut parts = 0;
    let proxy = Proxy::before(server.address(), move |seen| {
        parts += usize::from(seen.is_part());
        if parts > 1 && judge.load(Ordering::SeqCst) {
            return Verdict::Answer(403, "<Error><Code>AccessDenied</Code><Message>revoked</Message></Error>".into());
        }
        Verdict::Pass
    });
    let pod = world.pod(&proxy.url(), None);
    let mut publisher = pod.publisher();
    let mut recorder = world.recorder();
    film.record(&mut recorder, 40, &mut || {});
    recorder.stop();
    let (_, result) = world.result(&mut publisher);
    let message = result["result"]["errorMessage"].as_str().unwrap_or_default();
    println!("    {message}");
    assert!(message.contains("may not write to the bucket"), "{result}");
    allowed.store(false, Ordering::SeqCst);
    let mut again = world.pod(&proxy.url(), None);
    again.republish = Some("2".to_owned());
    let mut awaiting = again.awaiting();
    let _publisher = again.publisher();
    assert_eq!(awaiting.end(Duration::from_secs(120)), 0, "{}", awaiting.log());
    let result = world.claim.result();
    assert_eq!(result["result"]["errorCode"], json!(null), "{result}");
    let size = result["result"]["videos"][0]["sizeBytes"].as_u64();
    assert_eq!(Some(server.read("live/lesson.mp4").len() as u64), size);
    assert_eq!(server.open_uploads(), "0");
}

/// A recording that is given up while it lies half in the store leaves nothing there.
#[test]
fn a_session_that_is_discarded_leaves_no_upload_behind() {
    let (server, place) = (Server::start(), Place::new());
    // Its end is refused for good.
    let proxy = Proxy::before(server.address(), |seen| {
        let is_end = seen.method == "POST" && seen.target.contains("uploadId");
        let denied = "<Error><Code>AccessDenied</Code><Message>revoked</Message></Error>";
        if is_end { Verdict::Answer(403, denied.into()) } else { Verdict::Pass }
    });
    let session = recorded(&place, place.destination(&proxy.url()), 10);
    let (code, _, said) = published(publish(&session));
    assert_eq!(code, Some(6), "{said}");
    assert_eq!(server.open_uploads(), "1");
    let mut discard = std::process::Command::new(env!("CARGO_BIN_EXE_panorec"));
    let output = discard.arg("discard").arg(&session).output().expect("panorec starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("and an upload that was not finished"), "{said} {output:?}");
    assert_eq!(server.open_uploads(), "0");
    assert!(!session.exists());
}

/// The store is away while it is recorded and comes back: nothing has to be done about it.
#[test]
fn an_outage_while_it_is_recorded_is_outlasted() {
    let (film, server, world) = (Film::new(), Server::start(), World::new());
    let mut parts = 0;
    let mut until: Option<Instant> = None;
    let proxy = Proxy::before(server.address(), move |seen| {
        parts += usize::from(seen.is_part());
        if parts == 2 && until.is_none() {
            until = Some(Instant::now() + Duration::from_secs(30));
        }
        if until.is_some_and(|until| Instant::now() < until) { Verdict::Reset } else { Verdict::Pass }
    });
    let pod = world.pod(&proxy.url(), None);
    let mut publisher = pod.publisher();
    let mut recorder = world.recorder();
    film.record(&mut recorder, 40, &mut || {});
    recorder.stop();
    let (took, result) = world.result(&mut publisher);
    println!("    finished {:.1} s after the stop", took.as_secs_f64());
    assert_eq!(result["result"]["errorCode"], json!(null), "{result}");
    let size = result["result"]["videos"][0]["sizeBytes"].as_u64();
    assert_eq!(Some(server.read("live/lesson.mp4").len() as u64), size);
    assert!(!publisher.log().contains("made from the parts"), "it went on with the same upload: {}", publisher.log());
}
