//! What a spec asks of a session, and what of it cannot be followed.

use std::path::Path;

use jiff::Timestamp;
use panorec::resource::spec::{DestinationSpec, VolumeSpec};
use panorec::resource::{Asked, HLS_KEY_FILE, LOGIN_FILE, Origin, RecordingSpec, Rejection, ask};
use panorec::session::intent::Intent;
use panorec::session::request::{Codec, Destination, Format, PageUrl, Request};
use serde_json::{Value, json};

use crate::{fields, recording, spec};

pub fn ask_for(spec: &RecordingSpec) -> Result<Asked, Rejection> {
    let created = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
    let volume = DestinationSpec { volume: Some(VolumeSpec {}), ..DestinationSpec::default() };
    ask(spec, Origin { name: "lesson", created }, &volume)
}

fn asked(fields: &[(&str, Value)]) -> Result<Asked, Rejection> {
    ask_for(&recording(spec(fields)).spec)
}

#[test]
fn a_bare_url_asks_for_the_defaults_of_the_contract() {
    let asked = asked(&[]).unwrap();
    assert_eq!(asked.request, Request::new(PageUrl::parse(fields::PAGE).unwrap()));
    let delivery = &asked.delivery;
    assert_eq!((delivery.format, &delivery.destination), (Format::Mp4, &Destination::Session));
    assert_eq!((delivery.name.as_str(), delivery.task_id.as_str()), ("1700000000123", "lesson"));
    assert_eq!(delivery.segment_seconds.get(), 30);
    assert!(delivery.key.is_none() && delivery.callback.is_none() && !delivery.remove_session);
    assert!(asked.notes.is_empty());
    assert_eq!(Intent::from(&recording(spec(&[])).spec.intent), Intent::default());
}

#[test]
fn everything_asked_for_arrives() {
    let key = "00112233445566778899aabbccddeeff";
    let asked = asked(&[
        ("width", json!(801)),
        ("frameRate", json!(25)),
        ("output.format", json!("HLS")),
        ("output.segmentSeconds", json!(6)),
        ("output.video.codec", json!("VP9")),
        ("output.encryption", json!({ "keyURL": "https://keys.example/1", "key": key, "iv": key })),
        ("page.title", json!("Lesson")),
        ("page.loginSecretRef.name", json!("login")),
        ("callback.url", json!("https://school.example/done")),
    ])
    .unwrap();
    let request = &asked.request;
    assert_eq!((request.size.width(), request.size.height(), request.frame_rate.get()), (802, 720, 25));
    assert_eq!((request.codec, request.crf), (Codec::Vp9, Codec::Vp9.default_crf()));
    assert_eq!(request.login_file.as_deref(), Some(Path::new(LOGIN_FILE)));
    assert_eq!(asked.login_secret.as_deref(), Some("login"));
    assert_eq!(asked.notes, ["801x720 has an odd side; the picture is 802x720 instead"]);
    let delivery = &asked.delivery;
    assert_eq!((delivery.name.as_str(), delivery.segment_seconds.get()), ("playlist", 6));
    assert_eq!(delivery.callback.as_ref().unwrap().as_str(), "https://school.example/done");
    assert_eq!(asked.hls_key.as_deref(), Some(key));
    assert!(delivery.key.as_ref().unwrap().file.starts_with("/tmp"));
    let told = serde_json::to_string(delivery).unwrap() + &serde_json::to_string(request).unwrap();
    assert_eq!(told.matches(key).count(), 1, "the IV is told, the key is not: {told}");
}

#[test]
fn a_key_of_a_secret_is_a_file_of_the_publisher() {
    let encryption = json!({ "keyURL": "https://keys.example/1", "keySecretRef": { "name": "key" } });
    let asked = asked(&[("output.format", json!("HLS")), ("output.encryption", encryption)]).unwrap();
    assert_eq!((asked.hls_key, asked.hls_key_secret.as_deref()), (None, Some("key")));
    assert_eq!(asked.delivery.key.unwrap().file, Path::new(HLS_KEY_FILE));
}

#[test]
fn what_cannot_be_followed_is_named() {
    let encryption = |url: &str, iv: &str| json!({ "format": "HLS", "encryption": { "keyURL": url, "keySecretRef": { "name": "k" }, "iv": iv } });
    let iv = "00112233445566778899aabbccddeeff";
    for (path, value, field, says) in [
        ("url", json!("https://school.example:99999/"), "spec.url", "cannot be read"),
        ("output.video.crf", json!(60), "spec.output.video.crf", "0 to 51"),
        ("output.name", json!("tab\there"), "spec.output.name", "is not a file name"),
        ("output.directory", json!("a/../b"), "spec.output.directory", "'..'"),
        ("output.directory", json!("/a"), "spec.output.directory", "'/' at its start"),
        ("page.userAgent", json!("two\nlines"), "spec.page.userAgent", "one line"),
        ("page.title", json!("two\nlines"), "spec.page.title", "one line"),
        ("callback.url", json!("https://[school]/"), "spec.callback.url", "cannot be read"),
        ("intermediate.type", json!("Bucket"), "spec.intermediate.type", "use Volume"),
        ("output.destination.s3.bucket", json!("b"), "spec.output.destination", "use destination.volume: {}"),
        ("output", encryption("skd://keys", iv), "spec.output.encryption.keyURL", "http or https"),
        ("output", encryption("https://keys.example", "7"), "spec.output.encryption.iv", "32 hexadecimal"),
    ] {
        let rejection = asked(&[(path, value)]).unwrap_err();
        assert_eq!(rejection.field, field);
        assert!(rejection.why.contains(says), "{rejection} does not say {says:?}");
    }
}
