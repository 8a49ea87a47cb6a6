//! What a spec asks of a session, and what of it cannot be followed.

use std::path::Path;

use jiff::Timestamp;
use panorec::resource::{
    Asked, HLS_KEY_FILE, INTERMEDIATE_FILE, Installation, LOGIN_FILE, Origin, OwnCredentials, OwnStore, RecordingSpec,
    Rejection, S3_FILE, ask,
};
use panorec::session::intent::Intent;
use panorec::session::request::{Codec, Credentials, Destination, Format, PageUrl, Request};
use serde_json::{Value, json};

use crate::{fields, recording, spec};

pub fn ask_for(spec: &RecordingSpec) -> Result<Asked, Rejection> {
    ask_of(spec, "lesson", &Installation::default())
}

fn ask_of(spec: &RecordingSpec, name: &str, installation: &Installation) -> Result<Asked, Rejection> {
    let created = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
    ask(spec, Origin { namespace: "school", name, uid: "3fa85f64-5717", created }, installation)
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
    assert_eq!(delivery.callback.as_ref().unwrap().url.as_str(), "https://school.example/done");
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
    let store = |endpoint: &str, domain: Option<&str>| match domain {
        None => json!({ "bucket": "lessons", "endpoint": endpoint }),
        Some(domain) => {
            json!({ "bucket": "lessons", "endpoint": endpoint, "publicDomain": domain, "credentialsSecretRef": { "name": "s" } })
        }
    };
    for (path, value, field, says) in [
        ("url", json!("https://school.example:99999/"), "spec.url", "cannot be read"),
        ("output.video.crf", json!(60), "spec.output.video.crf", "0 to 51"),
        ("output.name", json!("tab\there"), "spec.output.name", "is not a file name"),
        ("output.directory", json!("a/../b"), "spec.output.directory", "'..'"),
        ("output.directory", json!("/a"), "spec.output.directory", "'/' at its start"),
        ("page.userAgent", json!("two\nlines"), "spec.page.userAgent", "one line"),
        ("page.title", json!("two\nlines"), "spec.page.title", "one line"),
        ("callback.url", json!("https://[school]/"), "spec.callback.url", "cannot be read"),
        (
            "callback",
            json!({ "url": "https://school.example/", "userData": "{" }),
            "spec.callback.userData",
            "EOF while parsing",
        ),
        ("intermediate.type", json!("Bucket"), "spec.intermediate.type", "name a bucket or VOD"),
        ("output.destination.s3.bucket", json!("b"), "spec.output.destination.s3.bucket", "not a bucket's name"),
        (
            "output.destination.s3.bucket",
            json!("lessons"),
            "spec.output.destination.s3.region",
            "name the bucket's region",
        ),
        ("output.destination.s3", store("ftp://a", None), "spec.output.destination.s3.endpoint", "http or https"),
        (
            "output.destination.s3",
            store("http://u:p@a", None),
            "spec.output.destination.s3.endpoint",
            "an address alone",
        ),
        (
            "output.destination.s3",
            store("http://a", None),
            "spec.output.destination.s3.credentialsSecretRef",
            "no credentials",
        ),
        (
            "output.destination.s3",
            store("http://a", Some("mailto:a://b")),
            "spec.output.destination.s3.publicDomain",
            "http or",
        ),
        ("output.destination.vod", json!({}), "spec.output.destination.vod.credentialsSecretRef", "panorec-vod.json"),
        (
            "output.destination.vod",
            json!({ "expireTime": "soon", "credentialsSecretRef": { "name": "s" } }),
            "spec.output.destination.vod.expireTime",
            "",
        ),
        ("output", encryption("skd://keys", iv), "spec.output.encryption.keyURL", "http or https"),
        ("output", encryption("https://keys.example", "7"), "spec.output.encryption.iv", "32 hexadecimal"),
    ] {
        let rejection = asked(&[(path, value)]).unwrap_err();
        assert_eq!(rejection.field, field);
        assert!(rejection.why.contains(says), "{rejection} does not say {says:?}");
    }
}

fn own_store() -> Installation {
    let store = OwnStore {
        endpoint: Some("http://minio.storage.svc:9000".parse().unwrap()),
        region: None,
        buckets: vec!["lessons".parse().unwrap(), "class-*".parse().unwrap()],
        credentials: OwnCredentials::Secret("store".to_owned()),
    };
    Installation { store: Some(store), ..Installation::default() }
}

fn in_store(s3: Value) -> Result<Asked, Rejection> {
    ask_of(&recording(spec(&[("output.destination.s3", s3)])).spec, "lesson", &own_store())
}

#[test]
fn the_installations_credentials_go_to_its_own_store_and_the_buckets_it_allows() {
    for s3 in [
        json!({ "bucket": "lessons" }),
        json!({ "bucket": "class-7" }),
        json!({ "bucket": "lessons", "endpoint": "http://MINIO.storage.svc:9000/" }),
    ] {
        let asked = in_store(s3).unwrap();
        assert_eq!(asked.s3_secret.as_deref(), Some("store"));
        let Destination::S3(place) = asked.delivery.destination else { panic!() };
        assert_eq!(place.endpoint.unwrap().as_str(), "http://minio.storage.svc:9000/");
        assert_eq!(place.credentials, Credentials::File { path: S3_FILE.into() });
    }
    for (s3, says) in [
        (json!({ "bucket": "other" }), "does not allow its credentials for the bucket other"),
        (json!({ "bucket": "lessons", "endpoint": "http://evil.example:9000" }), "own store only"),
        (json!({ "bucket": "lessons", "endpoint": "https://minio.storage.svc:9000" }), "own store only"),
        (json!({ "bucket": "lessons", "endpoint": "http://minio.storage.svc" }), "own store only"),
        (json!({ "bucket": "lessons", "region": "eu-west-1" }), "own store only"),
    ] {
        let rejection = in_store(s3).unwrap_err();
        assert_eq!(rejection.field, "spec.output.destination.s3.credentialsSecretRef");
        assert!(rejection.why.contains(says), "{rejection}");
    }
}

#[test]
fn credentials_of_ones_own_go_where_the_recording_says() {
    let secret = json!({ "name": "mine" });
    let asked =
        in_store(json!({ "bucket": "other", "endpoint": "https://s3.school.example", "credentialsSecretRef": secret }));
    let asked = asked.unwrap();
    assert_eq!(asked.s3_secret.as_deref(), Some("mine"));
    let Destination::S3(place) = asked.delivery.destination else { panic!() };
    assert_eq!(place.endpoint.unwrap().as_str(), "https://s3.school.example/");
}

#[test]
fn each_recording_has_a_folder_of_its_own_in_the_bucket() {
    let key = |name: &str, directory: &str| {
        let spec = spec(&[("output.destination.s3.bucket", json!("lessons")), ("output.directory", json!(directory))]);
        let Destination::S3(place) = ask_of(&recording(spec).spec, name, &own_store()).unwrap().delivery.destination
        else {
            panic!()
        };
        place.key("1.mp4")
    };
    assert_eq!(key("lesson", ""), "school/lesson-3fa85f64/1.mp4");
    let uuid = "7a03c1f0-4a5e-4c1f-9b60-2f1f2f5d3c11";
    assert_eq!(key(uuid, ""), format!("{uuid}/1.mp4"));
    assert_eq!(key("lesson", "2026/maths/"), "2026/maths/1.mp4");
}

#[test]
fn a_recording_may_be_kept_in_a_bucket() {
    let to = json!({ "bucket": "lessons", "publicDomain": "cdn.school.example", "tags": { "class": "7" } });
    let kept = |intermediate: Value, destination: (&str, Value)| {
        let spec = spec(&[("intermediate", intermediate), (destination.0, destination.1)]);
        ask_of(&recording(spec).spec, "lesson", &own_store())
    };
    let to = || ("output.destination.s3", to.clone());
    let asked = kept(json!({ "type": "Bucket" }), to()).unwrap();
    let intermediate = asked.delivery.intermediate.unwrap();
    assert_eq!(intermediate.place.key("a"), "raw/school/lesson-3fa85f64/a");
    assert!(intermediate.place.tags.is_empty() && !intermediate.keep);
    assert_eq!((asked.intermediate_secret, asked.s3_secret.as_deref()), (None, Some("store")));
    let own = json!({ "bucket": "raw-lessons", "region": "eu-west-1", "credentialsSecretRef": { "name": "raw" } });
    let asked = kept(json!({ "type": "Bucket", "s3": own, "keep": true }), to()).unwrap();
    let intermediate = asked.delivery.intermediate.unwrap();
    assert_eq!(asked.intermediate_secret.as_deref(), Some("raw"));
    assert_eq!(intermediate.place.credentials, Credentials::File { path: INTERMEDIATE_FILE.into() });
    assert!(intermediate.keep);
    // Those of the installation are not for any bucket here either.
    let rejection = kept(json!({ "type": "Bucket", "s3": { "bucket": "other" } }), to()).unwrap_err();
    assert_eq!(rejection.field, "spec.intermediate.s3");
    assert!(rejection.why.contains("does not allow its credentials for the bucket other"), "{rejection}");
    let vod = ("output.destination.vod", json!({ "credentialsSecretRef": { "name": "media" } }));
    let rejection = kept(json!({ "type": "Bucket" }), vod).unwrap_err();
    assert!(rejection.why.contains("name the bucket of the pieces"), "{rejection}");
}

#[test]
fn a_bucket_of_cos_needs_its_region_alone() {
    let secret = json!({ "name": "mine" });
    let place = |bucket: &str, region: &str| {
        let s3 =
            json!({ "bucket": bucket, "region": region, "credentialsSecretRef": secret, "tags": { "class": "7" } });
        let Destination::S3(place) = in_store(s3).unwrap().delivery.destination else { panic!() };
        place.url("a.mp4").unwrap().to_string()
    };
    assert_eq!(
        place("lessons-1250000000", "ap-shanghai"),
        "https://lessons-1250000000.cos.ap-shanghai.myqcloud.com/a.mp4"
    );
    assert_eq!(
        place("lessons-1250000000", "ap-beijing-1"),
        "https://lessons-1250000000.cos.ap-beijing-1.myqcloud.com/a.mp4"
    );
    assert_eq!(place("lessons-1250000000", "eu-west-1"), "https://lessons-1250000000.s3.eu-west-1.amazonaws.com/a.mp4");
    assert_eq!(place("lessons", "ap-northeast-2"), "https://lessons.s3.ap-northeast-2.amazonaws.com/a.mp4");
    let bad = json!({ "bucket": "lessons", "region": "a.evil.example/", "credentialsSecretRef": secret });
    assert_eq!(in_store(bad).unwrap_err().field, "spec.output.destination.s3.region");
}

#[test]
fn a_media_of_vod_has_what_was_said_of_it() {
    let vod = json!({ "subAppId": 1500007120, "mediaName": "test", "expireTime": "2027-10-01T10:00:00Z",
        "storageRegion": "ap-chongqing", "classId": 1, "procedure": " ", "sessionContext": "", "sourceContext": "a",
        "credentialsSecretRef": { "name": "media" } });
    let asked = asked(&[("output.destination.vod", vod)]).unwrap();
    assert_eq!(asked.vod_secret.as_deref(), Some("media"));
    let Destination::Vod(place) = asked.delivery.destination else { panic!() };
    assert_eq!((place.sub_app_id, place.class_id), (Some(1_500_007_120), Some(1)));
    assert_eq!(place.media_name.unwrap().as_str(), "test");
    assert!(place.procedure.is_none() && place.session_context.is_none(), "blank is as good as nothing");
    assert_eq!(place.expire_time.unwrap().to_string(), "2027-10-01T10:00:00Z");
}
