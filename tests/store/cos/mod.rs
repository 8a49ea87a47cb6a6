//! COS's own signature: recordings delivered to a store that takes no other one, and what that store refuses.

mod rules;
mod verifier;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use panorec::session::request::{Link, Metadata, S3Destination, Signature, Tags};
use panorec::store::{S3Error, StoreError};

use crate::proxy::{Proxy, Seen, Verdict};
use crate::server::{BUCKET, Server};
use crate::{MIB, Place, Remembered, check, deliver, media};
use rules::Key;

const ID: &str = "AKIDlessons";
const KEY: &str = "a key of COS alone";

fn key() -> Key {
    Key { id: ID, secret: KEY, token: None }
}

/// A bucket of COS for who has this key.
fn destination(place: &Place, endpoint: &str, keys: &serde_json::Value) -> S3Destination {
    let plain = place.destination(endpoint);
    std::fs::write(place.0.path().join("panorec-s3.json"), keys.to_string()).expect("written");
    S3Destination { signature: Signature::Cos, ..plain }
}

fn keys() -> serde_json::Value {
    serde_json::json!({ "secretId": ID, "secretKey": KEY })
}

#[test]
fn cos_takes_every_request_and_no_sigv4() {
    let (server, place) = (Server::start(), Place::new());
    let cos = verifier::before(&server, key());
    let destination = destination(&place, &cos.url(), &keys());
    check(&destination).expect("it may be used");
    for (name, bytes) in [("none.mp4", 0), ("one.ts", 1), ("five parts é+.mp4", 33 * MIB + 7)] {
        let file = place.file(name, bytes);
        let delivered = deliver(&destination, &Remembered::default(), &file);
        delivered.unwrap_or_else(|error| panic!("{name}: {error}; {:#?}", cos.seen().last()));
        assert_eq!(server.read(&format!("2026/maths/{name}")), std::fs::read(&file).expect("read"), "{name}");
    }
    assert_eq!(server.open_uploads(), "0");
    let plain = S3Destination { signature: Signature::SigV4, ..destination };
    let error = deliver(&plain, &Remembered::default(), &place.file("plain.mp4", 9)).expect_err("refused");
    assert!(matches!(error, StoreError::S3(S3Error::Denied { .. })), "{error}");
    assert!(error.to_string().contains("AWS4-HMAC-SHA256 is not taken here"), "{error}");
    assert!(check(&plain).is_err());
}

#[test]
fn cos_goes_on_with_parts_and_removes_what_is_left_over() {
    let (server, place) = (Server::start(), Place::new());
    let uploads = Remembered::default();
    let mut parts = 0;
    let dies = Proxy::before(server.address(), move |seen| {
        parts += usize::from(seen.is_part());
        let denied = "<Error><Code>AccessDenied</Code><Message>no more</Message></Error>";
        if parts > 2 { Verdict::Answer(403, denied.into()) } else { verifier::judge(seen, &key()) }
    });
    let file = place.file("lesson.mp4", 33 * MIB);
    deliver(&destination(&place, &dies.url(), &keys()), &uploads, &file).expect_err("denied");
    let another = format!("s3.create_multipart_upload(Bucket={BUCKET:?}, Key='2026/maths/lesson.mp4') and 1");
    server.boto(&another);
    let cos = verifier::before(&server, key());
    deliver(&destination(&place, &cos.url(), &keys()), &uploads, &file).expect("delivered");
    let seen = |is: fn(&Seen) -> bool| cos.seen().iter().filter(|seen| is(seen)).count();
    assert!(seen(Seen::is_part) <= 3, "{} parts", seen(Seen::is_part));
    assert_eq!(seen(|seen| seen.method == "GET" && seen.target.contains("uploadId=")), 1, "the parts are listed");
    assert_eq!(seen(|seen| seen.method == "DELETE"), 1, "the other upload is aborted");
    assert_eq!(server.read("2026/maths/lesson.mp4"), std::fs::read(&file).expect("read"));
    assert_eq!(server.open_uploads(), "0");
}

#[test]
fn cos_says_no_to_another_key_and_to_what_was_changed_on_the_way() {
    let (server, place) = (Server::start(), Place::new());
    let cos = verifier::before(&server, key());
    let file = place.file("lesson.mp4", 1_000);
    let credentials_error = |destination: &S3Destination, code: &str| {
        let error = deliver(destination, &Remembered::default(), &file).expect_err("refused");
        assert!(matches!(error, StoreError::S3(S3Error::Credentials { .. })), "{error}");
        assert!(error.to_string().contains(code), "{error}");
        assert!(!error.to_string().contains(KEY), "{error}");
    };
    let secret = serde_json::json!({ "secretId": ID, "secretKey": "another" });
    credentials_error(&destination(&place, &cos.url(), &secret), "SignatureDoesNotMatch");
    let stranger = serde_json::json!({ "secretId": "AKIDother", "secretKey": KEY });
    credentials_error(&destination(&place, &cos.url(), &stranger), "InvalidAccessKeyId");
    for (name, value) in
        [("content-type", "text/html"), ("x-cos-meta-lesson", "smuggled"), ("x-cos-acl", "public-read")]
    {
        let changes = Proxy::before(cos.url().trim_start_matches("http://").to_owned(), move |seen| {
            let mut headers = seen.headers.clone();
            headers.insert(name, value.parse().expect("a value"));
            Verdict::As(seen.target.clone(), headers)
        });
        credentials_error(&destination(&place, &changes.url(), &keys()), "SignatureDoesNotMatch");
    }
    let gone = server.boto(&format!("s3.list_objects_v2(Bucket={BUCKET:?})['KeyCount']"));
    assert_eq!(gone, "0", "nothing came through");
}

#[test]
fn a_temporary_key_of_cos_has_its_token_with_it() {
    let (server, place) = (Server::start(), Place::new());
    let cos = verifier::before(&server, Key { token: Some("a+token/="), ..key() });
    let keys = serde_json::json!({ "secretId": ID, "secretKey": KEY, "token": "a+token/=" });
    let file = place.file("lesson.mp4", 9 * MIB);
    let temporary = S3Destination { link: Link::Presigned { seconds: 60 }, ..destination(&place, &cos.url(), &keys) };
    let url = deliver(&temporary, &Remembered::default(), &file).expect("delivered").url.expect("a URL");
    let got = Command::new("curl").args(["-sf", &url]).output().expect("curl starts");
    assert!(got.stdout == std::fs::read(&file).expect("read"), "{url}: {}", got.status);
    let other =
        Command::new("curl").args(["-s", "-w", "%{http_code}", &url.replace("lesson.mp4", "other.mp4")]).output();
    let said = String::from_utf8(other.expect("curl starts").stdout).expect("text");
    assert!(said.contains("SignatureDoesNotMatch") && said.ends_with("403"), "{said}");
    let without = serde_json::json!({ "secretId": ID, "secretKey": KEY });
    deliver(&destination(&place, &cos.url(), &without), &Remembered::default(), &file).expect_err("refused");
}

#[test]
fn each_try_of_cos_has_a_signature_of_its_own() {
    let (server, place) = (Server::start(), Place::new());
    let mut puts = 0;
    let slow = Proxy::before(server.address(), move |seen| {
        puts += usize::from(seen.method == "PUT");
        if puts == 1 && seen.method == "PUT" {
            // Signatures have whole seconds.
            std::thread::sleep(Duration::from_millis(1_100));
            return Verdict::Answer(503, "<Error><Code>SlowDown</Code><Message>later</Message></Error>".into());
        }
        verifier::judge(seen, &key())
    });
    let file = place.file("lesson.mp4", 1_000);
    deliver(&destination(&place, &slow.url(), &keys()), &Remembered::default(), &file).expect("delivered");
    let seen = slow.seen();
    let tries: Vec<&Seen> = seen.iter().filter(|seen| seen.method == "PUT").collect();
    assert_eq!(tries.len(), 2);
    assert_ne!(tries[0].header("authorization"), tries[1].header("authorization"));
}

#[test]
fn what_is_said_of_an_object_is_said_in_coss_words() {
    let (server, place) = (Server::start(), Place::new());
    let cos = verifier::before(&server, key());
    let pair = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let destination = S3Destination {
        metadata: Metadata::try_from(pair("lesson", "12 of 30")).expect("metadata"),
        tags: Tags::try_from(pair("School year", "2026/27 é")).expect("tags"),
        storage_class: Some("STANDARD".to_owned()),
        ..destination(&place, &cos.url(), &keys())
    };
    for (name, bytes) in [("small.mp4", 9), ("large.mp4", 9 * MIB)] {
        deliver(&destination, &Remembered::default(), &place.file(name, bytes)).expect("delivered");
        let key = format!("2026/maths/{name}");
        assert_eq!(
            server.boto(&format!("s3.head_object(Bucket={BUCKET:?}, Key={key:?})['Metadata']")),
            "{'lesson': '12 of 30'}"
        );
        let tags = server.boto(&format!("s3.get_object_tagging(Bucket={BUCKET:?}, Key={key:?})['TagSet']"));
        assert_eq!(tags, "[{'Key': 'School year', 'Value': '2026/27 é'}]");
    }
    let made = cos.seen().into_iter().filter(|seen| !seen.header("x-cos-tagging").is_empty());
    let made: Vec<Seen> = made.collect();
    assert_eq!(made.len(), 2, "at once, and in parts");
    for seen in made {
        assert_eq!(seen.header("x-cos-tagging"), "School%20year=2026%2F27%20%C3%A9");
        assert_eq!(seen.header("x-cos-storage-class"), "STANDARD");
    }
}

/// A page that no encoder makes small.
const NOISE: &str = "<!doctype html><title>noise</title><body style='margin:0'><canvas width=640 height=360></canvas>
<script>
const context = document.querySelector('canvas').getContext('2d'), image = context.createImageData(640, 360)
const words = new Uint32Array(image.data.buffer)
setInterval(() => {
  for (let i = 0; i < words.length; i++) words[i] = 0xff000000 | Math.random() * 0x1000000
  context.putImageData(image, 0, 0)
}, 100)
</script>";

#[test]
fn recordings_go_to_cos_from_the_command_line() {
    let (server, place) = (Server::start(), Place::new());
    let cos = verifier::before(&server, key());
    std::fs::write(place.0.path().join("noise.html"), NOISE).expect("written");
    let pages = media::Server::with(Some(place.0.path().to_owned()), HashMap::new());
    let keys_file = place.0.path().join("keys.json");
    std::fs::write(&keys_file, keys().to_string()).expect("written");
    let panorec = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_panorec"))
            .args(args)
            .env_remove("AWS_ACCESS_KEY_ID")
            .env("AWS_ENDPOINT_URL_S3", cos.url())
            .output()
            .expect("panorec starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let in_bucket = ["--s3-addressing", "path", "--s3-region", "ap-shanghai", "--s3-credentials"];
    let in_bucket = [&in_bucket[..], &[keys_file.to_str().expect("a path")]].concat();
    for (name, page, more) in [
        ("small", "clock.html", &["--duration", "2"][..]),
        ("large", "extra/noise.html", &["--duration", "6", "--crf", "10", "--max-bitrate", "40000"]),
    ] {
        let session = place.0.path().join(name);
        let session_text = session.to_str().expect("a path");
        let (page, target) = (pages.url(page), format!("s3://{BUCKET}/2026/{name}.mp4"));
        let line = ["record", &page, "-o", &target, "--session", session_text, "--s3-signature", "cos"];
        let (code, said) = panorec(&[&line[..], &in_bucket, more].concat());
        assert_eq!(code, Some(0), "{said}");
        let file = place.0.path().join(format!("{name}.mp4"));
        std::fs::write(&file, server.read(&format!("2026/{name}.mp4"))).expect("written");
        let bytes = std::fs::metadata(&file).expect("there").len();
        println!("    {name}: {bytes} bytes");
        assert_eq!(bytes > 8 * MIB as u64, name == "large", "{bytes} bytes");
        assert_eq!(media::measure::complaints(&file), "", "{name}");
    }
    let parts = cos.seen().iter().filter(|seen| seen.is_part()).count();
    assert!(parts >= 2, "{parts} parts");

    // Another secret, before a recording and after it.
    std::fs::write(&keys_file, serde_json::json!({ "secretId": ID, "secretKey": "another" }).to_string())
        .expect("written");
    let session = place.0.path().join("small");
    let (code, said) = panorec(&["publish", session.to_str().expect("a path")]);
    println!("    {}", said.trim());
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("does not take these credentials") && said.contains("SignatureDoesNotMatch"), "{said}");
    assert!(!said.contains(KEY), "{said}");
    refused_before(&panorec, &pages.url("clock.html"), &["--s3-signature", "cos"], &in_bucket, place.0.path());
    // The right one, and the other signature.
    std::fs::write(&keys_file, keys().to_string()).expect("written");
    refused_before(&panorec, &pages.url("clock.html"), &[], &in_bucket, place.0.path());
}

/// Runs panorec with these arguments: its exit code, and what it said.
type Panorec<'p> = dyn Fn(&[&str]) -> (Option<i32>, String) + 'p;

/// What the store refuses is not recorded.
fn refused_before(panorec: &Panorec<'_>, page: &str, signature: &[&str], in_bucket: &[&str], folder: &Path) {
    let session = folder.join("refused");
    let target = format!("s3://{BUCKET}/2026/refused.mp4");
    let line = ["record", page, "-o", &target, "--session", session.to_str().expect("a path")];
    let (code, said) = panorec(&[&line[..], in_bucket, signature].concat());
    println!("    {}", said.trim());
    assert_eq!(code, Some(2), "{said}");
    assert!(!session.exists());
}
