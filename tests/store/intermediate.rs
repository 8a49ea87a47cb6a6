//! A recording kept in a bucket: what becomes of it when its pod and its disk are gone.

use std::thread::sleep;
use std::time::{Duration, Instant};

use panorec::session::fold::{Folded, Phase};
use serde_json::{Value, json};

use crate::live::{Film, World};
use crate::media::Server as Pages;
use crate::media::measure::complaints;
use crate::pods::{Container, DEADLINE, Pod, said, until};
use crate::proxy::{Proxy, Verdict, strict};
use crate::server::{BUCKET, Server};

/// What may be lost of a recording with its disk.
const LOST: f64 = 6.0;

/// The pod keeps its recording in the bucket of this store.
fn keep(pod: &mut Pod<'_>, store: &str) {
    let mut place = pod.delivery["destination"]["s3"].clone();
    place["prefix"] = json!("raw/lesson-4");
    place["endpoint"] = json!(store);
    pod.delivery["intermediate"] = json!({ "place": place });
}

fn names(server: &Server) -> Vec<String> {
    let listed = server
        .boto(&format!("[o['Key'] for o in s3.list_objects_v2(Bucket='{BUCKET}', Prefix='raw/').get('Contents', [])]"));
    serde_json::from_str(&listed.replace('\'', "\"")).expect("a list")
}

fn put_back(pod: &Pod<'_>) -> Container {
    let mut restore = pod.restore();
    assert_eq!(restore.end(DEADLINE), 0, "{}", restore.log());
    restore
}

#[test]
fn a_recording_goes_on_without_the_disk_that_it_was_on() {
    let (pages, server) = (Pages::start(), Server::start());
    let url = pages.url("clock.html?wall=1");
    let world = World::new();
    let mut pod = world.pod_of(&url, &server.url(), None);
    keep(&mut pod, &server.url());
    put_back(&pod);
    let (recorder, publisher) = (pod.recorder(), pod.publisher());
    until(&world.claim, "first frame", DEADLINE, |folded| folded.phase() == Phase::Recording);
    sleep(Duration::from_secs(8));
    let client = pod.client();
    client.put("/v1/intent", &said(4, "Paused", 1));
    until(&world.claim, "pause", DEADLINE, |folded| folded.phase() == Phase::Paused);
    sleep(Duration::from_secs(2));
    client.put("/v1/intent", &said(4, "Recording", 2));
    let goes_on = |folded: &Folded| folded.phase() == Phase::Recording && folded.open_pause().is_none();
    until(&world.claim, "resume", DEADLINE, goes_on);
    sleep(Duration::from_secs(6));
    // The node is gone with all that was on it.
    publisher.kill9();
    recorder.kill9();
    let part = world.claim.dir().open_part("1-1.webm".parse().unwrap()).unwrap();
    let before = panorec::publisher::usable_end(part, 0).unwrap() as f64 / 1e6;
    let kept = names(&server);
    println!("    {before:.1} s recorded, {} objects: {kept:?}", kept.len());
    assert!(kept.iter().filter(|name| name.ends_with(".webm")).count() >= 2, "{kept:?}");

    let other = World::new();
    let mut pod = other.pod_of(&url, &server.url(), None);
    keep(&mut pod, &server.url());
    let restore = put_back(&pod);
    println!("    {}", restore.log().trim());
    let (_recorder, mut publisher) = (pod.recorder(), pod.publisher());
    until(&other.claim, "second run", DEADLINE, |folded| folded.runs == 2 && folded.parts().count() >= 2);
    sleep(Duration::from_secs(4));
    let gap = other.claim.folded().gaps()[0];
    let at = gap.at_us as f64 / 1e6;
    println!("    {:.2} s of {before:.2} s lost", before - at);
    assert!(before - at <= LOST, "{before} s were recorded, {at} s are left");
    assert_eq!(other.claim.folded().pauses().len(), 1, "the pause of the first pod");
    assert!(pod.client().put("/v1/intent", &said(5, "Stopped", 3)).status == 200);
    let (_, result) = other.result(&mut publisher);
    assert_eq!((&result["gaps"]["count"], &result["pauses"]["count"]), (&json!(1), &json!(1)), "{result}");
    assert_eq!(result["gaps"]["items"][0]["cause"], "recorderDied", "{result}");
    let file = other.place.path().join("whole.mp4");
    std::fs::write(&file, server.read("live/lesson.mp4")).unwrap();
    assert_eq!(complaints(&file), "");
    let wanted = result["result"]["videos"][0]["durationSeconds"].as_f64().unwrap();
    let length: f64 = crate::media::probe(&file)["format"]["duration"].as_str().unwrap().parse().unwrap();
    assert!((length - wanted).abs() < 0.05 && length > at + 3.0, "{length} s, told are {wanted} s");
    assert_eq!(server.open_uploads(), "0");
    // The result is there first; what is left are the journals and the result.
    publisher.term();
    publisher.end(DEADLINE);
    let left = names(&server);
    assert!(left.iter().any(|name| name.ends_with("result.json")), "{left:?}");
    assert!(!left.iter().any(|name| name.ends_with(".webm")), "{left:?}");

    // A third pod finds that all is done.
    let third = World::new();
    let mut pod = third.pod(&server.url(), None);
    keep(&mut pod, &server.url());
    put_back(&pod);
    let mut awaiting = pod.awaiting();
    assert_eq!(awaiting.end(DEADLINE), 0, "{}", awaiting.log());
    assert_eq!(third.claim.result()["result"], result["result"]);
}

/// An old pod that has lost sight of everything but the bucket, and the one in its place.
#[test]
fn of_two_pods_on_two_disks_one_delivers() {
    let (film, server) = (Film::new(), Server::start());
    let (old, new) = (World::new(), World::new());
    let pod = |world: &World| -> Value {
        let mut pod = world.pod(&server.url(), None);
        keep(&mut pod, &server.url());
        pod.delivery
    };
    let mut old_pod = old.pod(&server.url(), None);
    old_pod.delivery = pod(&old);
    let mut old_publisher = old_pod.publisher();
    let mut recorder = old.recorder();
    film.record(&mut recorder, 2, &mut || {});
    let has_media = || names(&server).iter().any(|name| name.ends_with(".webm"));
    let began = Instant::now();
    while !has_media() {
        assert!(began.elapsed() < DEADLINE, "{}", old_publisher.log());
        sleep(Duration::from_millis(100));
    }
    // All of it: it is as long as it will be.
    let mut before = (names(&server), Instant::now());
    while before.1.elapsed() < Duration::from_secs(4) {
        let now = names(&server);
        if now != before.0 {
            before = (now, Instant::now());
        }
        sleep(Duration::from_millis(100));
    }
    let mut new_pod = new.pod(&server.url(), None);
    new_pod.delivery = pod(&new);
    put_back(&new_pod);
    let mut publisher = new_pod.publisher();
    let second = new.recorder();
    second.stop();
    let (_, result) = new.result(&mut publisher);
    assert_eq!(result["result"]["errorCode"], Value::Null, "{result}");
    let seconds = result["result"]["videos"][0]["durationSeconds"].as_f64().unwrap();
    assert!((seconds - 120.0).abs() < 0.1, "{seconds} s");
    let size = server.read("live/lesson.mp4").len();
    // The old one stops by itself, and does not deliver once more.
    recorder.stop();
    let began = Instant::now();
    while !old_publisher.log().contains("leaves publishing to it") {
        old_publisher.assert_alive();
        assert!(began.elapsed() < DEADLINE, "{}", old_publisher.log());
        sleep(Duration::from_millis(50));
    }
    assert_eq!(server.read("live/lesson.mp4").len(), size);
}

/// A bucket that is away costs no recording, and what it lacks it gets when it is back.
#[test]
fn a_bucket_that_is_away_is_filled_when_it_is_back() {
    let (film, server) = (Film::new(), Server::start());
    let away = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let judging = std::sync::Arc::clone(&away);
    let proxy = Proxy::before(server.address(), move |seen| {
        match judging.load(std::sync::atomic::Ordering::SeqCst) && seen.target.contains("raw") {
            true => Verdict::Reset,
            false => strict(seen),
        }
    });
    let world = World::new();
    let mut pod = world.pod(&server.url(), None);
    keep(&mut pod, &proxy.url());
    pod.delivery["intermediate"]["keep"] = json!(true);
    let mut publisher = pod.publisher();
    let mut recorder = world.recorder();
    film.record(&mut recorder, 1, &mut || {});
    let warned = |text: &str| world.claim.folded().warnings.iter().any(|warning| warning.contains(text));
    let began = Instant::now();
    while !warned("on its disk alone") {
        assert!(began.elapsed() < DEADLINE, "{}", publisher.log());
        sleep(Duration::from_millis(50));
    }
    away.store(false, std::sync::atomic::Ordering::SeqCst);
    let began = Instant::now();
    while !warned("in the bucket again") {
        assert!(began.elapsed() < DEADLINE, "{}", publisher.log());
        sleep(Duration::from_millis(50));
    }
    recorder.stop();
    let (_, result) = world.result(&mut publisher);
    assert_eq!(result["result"]["errorCode"], Value::Null, "{result}");
    // One piece after the other they are the part.
    let media: Vec<u8> =
        names(&server).iter().filter(|name| name.ends_with(".webm")).flat_map(|name| server.read(name)).collect();
    let part = std::fs::read(world.claim.session().join("recorder/parts/1-1.webm")).unwrap();
    assert!(media == part, "{} bytes in pieces, {} in the part", media.len(), part.len());
}
