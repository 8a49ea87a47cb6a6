//! Delivery to an object store from the cluster, and what of it is refused.

use std::collections::HashMap;
use std::thread::sleep;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::basics::{condition, pages};
use crate::media::checks::Checks;
use crate::media::{Server, measure_page};
use crate::store::{ACCESS, BUCKET, SECRET, Server as Store};
use crate::support::cluster::{apply, pages_host};
use crate::support::{Operator, Space};

/// The Secret that a Recording names.
fn secret(space: &Space, name: &str, key: &str, value: &Value) {
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": space.name },
        "stringData": { key: value.to_string() } });
    apply(&secret).expect("a Secret");
}

fn credentials(space: &Space, name: &str) {
    secret(space, name, "panorec-s3.json", &json!({ "accessKeyId": ACCESS, "secretAccessKey": SECRET }));
}

/// Reads an object back and measures it.
fn measured(store: &Store, key: &str) -> Value {
    let file = tempfile::Builder::new().suffix(".mp4").tempfile().expect("a file");
    std::fs::write(file.path(), store.read(key)).expect("written");
    measure_page(file.path(), None, 30.0)
}

#[test]
fn a_recording_goes_to_a_bucket_with_its_own_credentials_and_its_callback_is_signed() {
    let mut checks = Checks::default();
    let answers: HashMap<String, crate::media::server::Answer> =
        HashMap::from([("/callback".to_owned(), Box::new(|_: &[u8]| (200u16, Vec::<u8>::new())) as _)]);
    let server = Server::on(&pages_host(), None, answers);
    let store = Store::on(&pages_host());
    let space = Space::new("bucket");
    credentials(&space, "mine");
    let key = "0123456789abcdef0123456789abcdef";
    secret(&space, "hook", "panorec-callback.json", &json!({ "signingKey": key, "headers": { "X-School": "1" } }));
    let _operator = Operator::start(&space, &[]);
    let spec = json!({
        "maxDurationSeconds": 10,
        "callback": { "url": server.url("callback"), "secretRef": { "name": "hook" } },
        "output": { "name": "clip", "destination": { "s3": {
            "bucket": BUCKET, "endpoint": store.url(), "credentialsSecretRef": { "name": "mine" },
        } } },
    });
    let recording = space.record("lesson", &server.url("clock.html"), spec);
    let (_, finished) = recording.phase("finished", 90);
    let video = &finished["status"]["result"]["videos"][0];
    let uid: String = finished["metadata"]["uid"].as_str().unwrap_or_default().chars().take(8).collect();
    let object = format!("{}/lesson-{uid}/clip.mp4", space.name);
    checks.that("URL", video["url"] == format!("{}/{BUCKET}/{object}", store.url()), video);
    let length = video["durationSeconds"].as_f64().unwrap_or_default();
    checks.near("length, in s", &measured(&store, &object)["duration_s"]["container"], length, 0.05);
    checks.that("nothing is left open", store.open_uploads() == "0", "uploads");
    checks.that("nothing on the volume", recording.output().is_empty(), format!("{:?}", recording.output()));
    let posted = server.posted("/callback", Duration::from_secs(10)).expect("a callback");
    let posted: Value = serde_json::from_slice(&posted).expect("JSON");
    checks.that("the callback's URL", posted["Result"]["Videos"][0]["FileURL"] == video["url"], &posted);
    checks.done();
}

#[test]
fn the_installations_store_is_for_its_buckets_and_private_addresses_are_refused() {
    let mut checks = Checks::default();
    let (server, store) = (pages(), Store::on(&pages_host()));
    let space = Space::new("own");
    credentials(&space, "installed");
    let args = [
        "--s3-endpoint",
        &store.url(),
        "--s3-secret",
        "installed",
        "--s3-buckets",
        BUCKET,
        "--destination",
        r#"{"s3":{"bucket":"lessons"}}"#,
    ];
    let _operator = Operator::start(&space, &args);
    let page = server.url("clock.html");
    // Without a destination it goes to the installation's; its callback may not be told.
    let other = "10.255.255.1";
    let callback = json!({ "url": format!("http://{other}/"), "attempts": 2 });
    let spec = json!({ "maxDurationSeconds": 12, "callback": callback });
    let recording = space.record("lesson", &page, spec);
    for (name, s3, says) in [
        ("bucket", json!({ "bucket": "other" }), "does not allow its credentials for the bucket other"),
        ("endpoint", json!({ "bucket": BUCKET, "endpoint": "http://192.0.2.7:9000" }), "own store only"),
    ] {
        let refused = space.record(name, &page, json!({ "output": { "destination": { "s3": s3 } } }));
        let (_, refused) = refused
            .until("refused", Duration::from_secs(20), |object| condition(object, "Accepted")["status"] == "False");
        let message = condition(&refused, "Accepted")["message"].as_str().unwrap_or_default();
        checks.that(name, message.contains(says) && message.contains("panorec-s3.json"), message);
    }
    // With credentials of its own it may name any store, but not one at a private address.
    let s3 = json!({ "bucket": BUCKET, "endpoint": format!("http://{other}:9000"),
        "credentialsSecretRef": { "name": "installed" }, "deadlineSeconds": 20 });
    let hidden =
        space.record("hidden", &page, json!({ "maxDurationSeconds": 12, "output": { "destination": { "s3": s3 } } }));
    let (_, finished) = recording.phase("finished", 90);
    let status = &finished["status"];
    let url = status["result"]["videos"][0]["url"].as_str().unwrap_or_default().to_owned();
    let object = url.strip_prefix(&format!("{}/{BUCKET}/", store.url())).unwrap_or_default().to_owned();
    checks.that("delivered", object.starts_with(&format!("{}/lesson-", space.name)), &url);
    let length = status["result"]["videos"][0]["durationSeconds"].as_f64().unwrap_or_default();
    checks.near("length, in s", &measured(&store, &object)["duration_s"]["container"], length, 0.05);
    checks.that("the callback is refused", status["result"]["errorCode"] == "CallbackFailed", &status["result"]);
    let said = status["result"]["errorMessage"].as_str().unwrap_or_default();
    checks.that("and says why", said.contains("ERR_ADDRESS_REFUSED") && said.contains("private"), said);
    let (_, finished) = hidden.phase("finished", 90);
    let said = finished["status"]["result"]["errorMessage"].as_str().unwrap_or_default();
    checks.that("a private store is refused", said.contains("may not be reached") && said.contains("private"), said);
    checks.done();
}

#[test]
fn a_recording_kept_in_a_bucket_outlives_its_pod_and_its_disk() {
    let mut checks = Checks::default();
    let (server, store) = (pages(), Store::on(&pages_host()));
    let space = Space::new("kept");
    credentials(&space, "mine");
    let _operator = Operator::start(&space, &[]);
    let spec = json!({
        "intermediate": { "type": "Bucket" },
        "output": { "name": "clip", "destination": { "s3": {
            "bucket": BUCKET, "endpoint": store.url(), "credentialsSecretRef": { "name": "mine" },
        } } },
    });
    let recording = space.record("lesson", &server.url("clock.html"), spec);
    recording.phase("recording", 60);
    sleep(Duration::from_secs(9));
    let name = recording.pods().remove(0)["metadata"]["name"].as_str().expect("a name").to_owned();
    let torn = Timestamp::now();
    space.kubectl(&["delete", "pod", &name, "--grace-period=0", "--force"]);
    let again = recording.now("a second run that records", 180, |object| {
        object["status"]["recorder"]["runs"] == 2 && object["status"]["gaps"]["count"] == 1
    });
    sleep(Duration::from_secs(4));
    recording.tell(json!({ "state": "Stopped", "revision": 1 }));
    let (_, finished) = recording.phase("finished", 90);
    let status = &finished["status"];
    checks.that("nothing on the volume", !recording.session().exists(), recording.session().display());
    let gap = &status["gaps"]["items"][0];
    let (missing, at) = (gap["lostSeconds"].as_f64().unwrap_or(1e9), gap["atSeconds"].as_f64().unwrap_or(0.0));
    let time = |name: &str| -> Timestamp { status[name].as_str().expect(name).parse().expect("a time") };
    let until_torn = torn.duration_since(time("startTime")).as_secs_f64();
    println!("    the page was away for {missing:.1} s, {:.2} s of them were recorded and lost", until_torn - at);
    checks.that("at most 6 s lost", until_torn - at <= 6.0, until_torn - at);
    checks.that("the gap's cause", gap["cause"] == "recorderDied", &again["status"]["gaps"]);
    let uid: String = finished["metadata"]["uid"].as_str().unwrap_or_default().chars().take(8).collect();
    let report = measured(&store, &format!("{}/lesson-{uid}/clip.mp4", space.name));
    let took = time("stopTime").duration_since(time("startTime")).as_secs_f64();
    checks.near(
        "video and gap make the whole, in s",
        &json!(report["duration_s"]["container"].as_f64().unwrap_or(0.0) + missing),
        took,
        0.3,
    );
    checks.that("no hole in the sound", report["audio"]["packet_gaps"] == json!([]), &report["audio"]);
    let raw = store.boto(&format!(
        "[o['Key'] for o in s3.list_objects_v2(Bucket='{BUCKET}', Prefix='raw/{}/lesson-{uid}/').get('Contents', [])]",
        space.name
    ));
    checks.that("the pieces are gone", !raw.contains(".webm") && raw.contains("result.json"), &raw);
    checks.done();
}
