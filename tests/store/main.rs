//! Delivery to an object store: a real one, read back by another client, with what networks and stores do between.
//! `make test-store`.

// Parts of it are for other tests.
mod callback;
mod cos;
#[path = "../pod/http.rs"]
mod http;
mod intermediate;
mod live;
#[allow(dead_code, unused_imports)]
#[path = "../media/support/mod.rs"]
mod media;
mod network;
mod object;
mod played;
#[path = "../pod/pods.rs"]
mod pods;
mod proxy;
mod served;
mod server;
mod sessions;
#[path = "../support/mod.rs"]
mod support;
mod virtual_hosts;
mod vod;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use panorec::egress::Resolver;
use panorec::session::request::{Credentials, Link, S3Destination};
use panorec::store::{Delivered, S3Error, S3Store, Store, StoreError, Uploads};
use tempfile::TempDir;

use proxy::{Proxy, Seen, Verdict, strict};
use server::{ACCESS, BUCKET, SECRET, Server};

const MIB: usize = 1 << 20;

/// Uploads as a journal would have them.
#[derive(Default)]
struct Remembered(RefCell<HashMap<String, String>>);

impl Uploads for Remembered {
    fn open(&self, key: &str) -> Option<String> {
        self.0.borrow().get(key).cloned()
    }

    fn begun(&self, key: &str, upload_id: &str) -> Result<(), StoreError> {
        self.0.borrow_mut().insert(key.to_owned(), upload_id.to_owned());
        Ok(())
    }
}

/// A folder with a credentials file and files to send.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a folder"));
        place.credentials(SECRET);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn credentials_file(&self) -> PathBuf {
        self.0.path().join("panorec-s3.json")
    }

    fn credentials(&self, secret: &str) {
        let keys = serde_json::json!({ "accessKeyId": ACCESS, "secretAccessKey": secret });
        std::fs::write(self.credentials_file(), keys.to_string()).expect("written");
    }

    /// A file whose bytes repeat nowhere.
    fn file(&self, name: &str, bytes: usize) -> PathBuf {
        let path = self.0.path().join(name);
        let mut state = bytes as u64 + 1;
        let content = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        });
        std::fs::write(&path, content.take(bytes).collect::<Vec<u8>>()).expect("written");
        path
    }

    fn destination(&self, endpoint: &str) -> S3Destination {
        let credentials = Credentials::File { path: self.0.path().join("panorec-s3.json") };
        S3Destination {
            prefix: "2026/maths".parse().expect("a folder"),
            endpoint: Some(endpoint.parse().expect("a URL")),
            deadline_seconds: 60,
            ..S3Destination::new(BUCKET.parse().expect("a bucket"), credentials)
        }
    }
}

fn deliver(destination: &S3Destination, uploads: &Remembered, file: &Path) -> Result<Delivered, StoreError> {
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    S3Store::new(destination, Box::new(uploads), &Resolver::default())?.deliver(file, name, &mut |_| ())
}

#[test]
fn every_file_arrives_bit_for_bit_also_where_only_the_plainest_requests_are_taken() {
    let (server, place) = (Server::start(), Place::new());
    let proxy = Proxy::before(server.address(), strict);
    let destination = place.destination(&proxy.url());
    for (name, bytes) in [
        ("none.mp4", 0),
        ("one.ts", 1),
        ("part.mp4", 8 * MIB),
        ("more.m3u8", 8 * MIB + 1),
        ("five parts é.mp4", 33 * MIB + 7),
    ] {
        let file = place.file(name, bytes);
        let mut told = Vec::new();
        let delivered = S3Store::new(&destination, Box::new(Remembered::default()), &Resolver::default())
            .map(|store| store.deliver(&file, name, &mut |sent| told.push(sent)))
            .expect("a store")
            .unwrap_or_else(|error| panic!("{name}: {error}; {:#?}", proxy.seen().last()));
        assert_eq!(delivered.size_bytes, bytes as u64);
        assert_eq!(told.last(), Some(&(bytes as u64)));
        assert!(told.is_sorted(), "{told:?}");
        let key = format!("2026/maths/{name}");
        assert_eq!(server.read(&key), std::fs::read(&file).expect("read"), "{name}");
        let url = delivered.url.expect("a URL");
        assert!(url.starts_with(&format!("{}/lessons/2026/maths/", proxy.url())), "{url}");
    }
    let kind = server.boto("s3.head_object(Bucket='lessons', Key='2026/maths/more.m3u8')['ContentType']");
    assert_eq!(kind, "application/vnd.apple.mpegurl");
    assert_eq!(server.open_uploads(), "0");
}

#[test]
fn a_client_as_it_comes_is_refused_by_these_stores() {
    let (server, place) = (Server::start(), Place::new());
    let proxy = Proxy::before(server.address(), strict);
    let file = place.file("a.mp4", MIB);
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let said = runtime.block_on(async {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .http_client(http)
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .endpoint_url(proxy.url())
            .force_path_style(true)
            .credentials_provider(aws_sdk_s3::config::Credentials::new(ACCESS, SECRET, None, None, "tests"))
            .build();
        let body = ByteStream::from_path(&file).await.expect("a file");
        let put = aws_sdk_s3::Client::from_conf(config).put_object().bucket(BUCKET).key("a.mp4").body(body);
        format!("{:?}", put.send().await.expect_err("refused"))
    });
    assert!(said.contains("InvalidArgument") || said.contains("InvalidRequest"), "{said}");
}

#[test]
fn what_passes_is_outlasted() {
    let server = Server::start();
    let nth = |wanted: fn(&Seen) -> bool, every: usize, verdict: fn() -> Verdict| {
        let mut count = 0;
        move |seen: &Seen| {
            count += usize::from(wanted(seen));
            if wanted(seen) && count % every == 1 { verdict() } else { Verdict::Pass }
        }
    };
    let storm =
        || Verdict::Answer(503, "<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>".into());
    type Judge = Box<dyn FnMut(&Seen) -> Verdict + Send>;
    let trials: [(&str, Judge); 5] = [
        ("every second request is answered 503", Box::new(nth(|_| true, 2, storm))),
        ("every third part ends its connection", Box::new(nth(Seen::is_part, 3, || Verdict::Reset))),
        ("every second part's answer is lost", Box::new(nth(Seen::is_part, 2, || Verdict::LoseAnswer))),
        (
            "the answer to the end is lost",
            Box::new(nth(|seen| seen.method == "POST" && seen.target.contains("uploadId"), 99, || Verdict::LoseAnswer)),
        ),
        (
            "the answer to the beginning is lost",
            Box::new(nth(|seen| seen.method == "POST", 99, || Verdict::LoseAnswer)),
        ),
    ];
    for (n, (name, judge)) in trials.into_iter().enumerate() {
        let place = Place::new();
        let proxy = Proxy::before(server.address(), judge);
        let file = place.file(&format!("trial-{n}.mp4"), 30 * MIB + n);
        let began = Instant::now();
        let delivered = deliver(&place.destination(&proxy.url()), &Remembered::default(), &file);
        println!("    {name}: {:.1} s, {} requests", began.elapsed().as_secs_f64(), proxy.seen().len());
        delivered.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(server.read(&format!("2026/maths/trial-{n}.mp4")), std::fs::read(&file).expect("read"), "{name}");
        assert_eq!(server.open_uploads(), "0", "{name}");
    }
}

#[test]
fn an_upload_that_broke_off_goes_on_with_the_parts_that_are_there() {
    let (server, place) = (Server::start(), Place::new());
    let uploads = Remembered::default();
    let file = place.file("lesson.mp4", 60 * MIB);
    let mut parts = 0;
    let dies = Proxy::before(server.address(), move |seen| {
        parts += usize::from(seen.is_part());
        let denied = "<Error><Code>AccessDenied</Code><Message>no more</Message></Error>";
        if parts > 4 { Verdict::Answer(403, denied.into()) } else { Verdict::Pass }
    });
    let error = deliver(&place.destination(&dies.url()), &uploads, &file).expect_err("denied");
    assert!(matches!(error, StoreError::S3(S3Error::Denied { .. })), "{error}");
    assert_eq!(server.open_uploads(), "1", "what is there is kept for the next try");
    let again = Proxy::before(server.address(), |_| Verdict::Pass);
    deliver(&place.destination(&again.url()), &uploads, &file).expect("delivered");
    let sent = again.seen().iter().filter(|seen| seen.is_part()).count();
    println!("    {sent} of 8 parts were sent again");
    assert!(sent <= 4, "{sent} parts");
    assert!(again.seen().iter().all(|seen| !seen.target.ends_with("?uploads")), "begun twice");
    assert_eq!(server.read("2026/maths/lesson.mp4"), std::fs::read(&file).expect("read"));
    assert_eq!(server.open_uploads(), "0");
}

#[test]
fn what_does_not_pass_is_told_at_once() {
    let (server, place) = (Server::start(), Place::new());
    let file = place.file("lesson.mp4", 9 * MIB);
    let error_of =
        |destination: &S3Destination| deliver(destination, &Remembered::default(), &file).expect_err("refused");
    let good = place.destination(&server.url());
    let began = Instant::now();
    let no_bucket = S3Destination { bucket: "nowhere".parse().expect("a bucket"), ..good.clone() };
    let error = error_of(&no_bucket);
    assert!(matches!(error, StoreError::S3(S3Error::NoBucket { .. })), "{error}");
    assert!(matches!(check(&no_bucket), Err(S3Error::NoBucket { .. })));
    place.credentials("another secret");
    let error = error_of(&good);
    assert!(matches!(error, StoreError::S3(S3Error::Credentials { .. })), "{error}");
    println!("    {error}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    place.credentials(SECRET);
    check(&good).expect("it may be used");
    // Nobody listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|held| held.local_addr()).expect("a port");
    let gone = S3Destination { deadline_seconds: 3, ..place.destination(&format!("http://{gone}")) };
    let began = Instant::now();
    let error = error_of(&gone);
    println!("    after {:.1} s: {error}", began.elapsed().as_secs_f64());
    assert!(matches!(error, StoreError::S3(S3Error::Unreachable { seconds: 3, .. })), "{error}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

fn check(destination: &S3Destination) -> Result<(), S3Error> {
    S3Store::new(destination, Box::new(Remembered::default()), &Resolver::default())?.check()
}

#[test]
fn a_signed_url_is_for_anybody() {
    let (server, place) = (Server::start(), Place::new());
    let file = place.file("lesson.mp4", 1_000);
    let destination = S3Destination { link: Link::Presigned { seconds: 60 }, ..place.destination(&server.url()) };
    let url = deliver(&destination, &Remembered::default(), &file).expect("delivered").url.expect("a URL");
    let got = std::process::Command::new("curl").args(["-sf", &url]).output().expect("curl starts");
    assert_eq!(got.stdout, std::fs::read(&file).expect("read"), "{url}");
}

#[test]
fn a_recording_goes_to_a_bucket_from_the_command_line() {
    let (store, place) = (Server::start(), Place::new());
    let pages = media::Server::start();
    let session = place.0.path().join("session");
    let panorec = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_panorec"))
            .args(args)
            .env("AWS_ACCESS_KEY_ID", ACCESS)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_ENDPOINT_URL_S3", store.url())
            .output()
            .expect("panorec starts");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let page = pages.url("clock.html");
    let session = session.to_str().expect("a path");
    let refused = panorec(&["record", &page, "-o", "s3://nowhere/a.mp4", "--session", session]);
    assert_eq!(refused.0, Some(2), "{}", refused.2);
    assert!(refused.2.contains("no bucket nowhere"), "{}", refused.2);
    for (name, format) in [("clip.mp4", "mp4"), ("clip.m3u8", "hls")] {
        let session = format!("{session}-{format}");
        let target = format!("s3://{BUCKET}/2026/{format}/{name}");
        let args = [
            "record",
            &page,
            "-o",
            &target,
            "--duration",
            "5",
            "--segment-seconds",
            "2",
            "--json",
            "--session",
            &session,
        ];
        let args: Vec<&str> = if format == "mp4" { [&args[..6], &args[8..]].concat() } else { args.to_vec() };
        let (code, json, said) = panorec(&args);
        assert_eq!(code, Some(0), "{said}");
        let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let video = &report["result"]["videos"][0];
        println!("    {video}");
        assert_eq!(video["url"], format!("{}/{BUCKET}/2026/{format}/{name}", store.url()));
        let made = std::path::Path::new(&session).join("publisher/output");
        for file in std::fs::read_dir(made).expect("the output").flatten() {
            let name = file.file_name().into_string().expect("a name");
            assert_eq!(
                store.read(&format!("2026/{format}/{name}")),
                std::fs::read(file.path()).expect("read"),
                "{name}"
            );
        }
    }
}
