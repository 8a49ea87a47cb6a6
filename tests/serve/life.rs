//! The life of one recording, from its Start to its file.

use std::collections::HashMap;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::rank;
use crate::place::{DEADLINE, Place, end};
use crate::support::Server;
use crate::support::measure::complaints;
use crate::support::server::Answer;

fn took_it() -> Answer {
    Box::new(|_| (204, Vec::new()))
}

#[test]
fn a_recording_from_its_start_to_its_file_and_callback() {
    let server = Server::with(None, HashMap::from([("/callback".to_owned(), took_it())]));
    let place = Place::new(&[]);
    let run = place.serve();
    let client = place.client();
    let task = client.start(json!({
        "RecordURL": server.url("clock.html"), "Width": 640, "Height": 360, "FrameRate": 15,
        "CallbackURL": server.url("callback"), "UserData": {"lesson": [42]},
        "Output": {"Cos": {"TargetName": "lesson.mp4"}},
    }));
    let mut seen: Vec<Value> = vec![client.describe(&task)];
    assert_eq!(seen[0]["Status"], "normal");
    seen.push(client.until(&task, "recording", DEADLINE));
    sleep(Duration::from_secs(2));

    client.tell("Pause", &task);
    seen.push(client.describe(&task));
    assert_eq!(seen[2]["Status"], "paused", "at once");
    sleep(Duration::from_secs(2));
    let loads = || server.asked().iter().filter(|path| path.starts_with("/clock.html")).count();
    let before = loads();
    client.tell("Refresh", &task);
    let until = Instant::now() + DEADLINE;
    while loads() == before {
        assert!(Instant::now() < until, "the page was not loaded again");
        sleep(Duration::from_millis(20));
    }
    client.tell("Resume", &task);
    seen.push(client.describe(&task));
    assert_eq!(seen[3]["Status"], "recording", "at once");
    sleep(Duration::from_secs(2));
    client.tell("Stop", &task);
    seen.push(client.describe(&task));
    assert!(rank(&seen[4]) >= 2 && seen[4]["CancelTime"].is_i64(), "{}", seen[4]);
    while seen.last().is_some_and(|last| last["Status"] != "finished") {
        assert!(Instant::now() < until, "not finished: {:?}", seen.last());
        seen.push(client.describe(&task));
    }

    assert!(seen.is_sorted_by(|earlier, later| rank(earlier) <= rank(later)), "{seen:?}");
    for name in ["CreateTime", "StartTime", "CancelTime", "StopTime", "FinishTime"] {
        let times: Vec<_> = seen.iter().filter_map(|one| one[name].as_i64()).collect();
        assert!(times.windows(2).all(|pair| pair[0] == pair[1]), "{name} changes: {times:?}");
    }
    let finished = seen.last().unwrap();
    let time = |name: &str| finished[name].as_i64().unwrap_or_else(|| panic!("no {name}: {finished}"));
    let times = ["CreateTime", "StartTime", "CancelTime", "StopTime", "FinishTime"].map(time);
    assert!(times.is_sorted(), "{finished}");

    let videos = finished["Result"]["Videos"].as_array().unwrap();
    let [video] = videos.as_slice() else { panic!("{finished}") };
    assert_eq!(video["Filename"], "lesson.mp4");
    let seconds = video["FileDuration"].as_f64().unwrap();
    assert!((3.0..9.0).contains(&seconds), "4 s and what the orders took, without the pause: {seconds} s");
    let url = video["FileURL"].as_str().unwrap();
    let path = url.strip_prefix(&format!("http://{}", client.address)).unwrap();
    assert_eq!(path, format!("/files/{task}/lesson.mp4"));
    let whole = client.get(path, "");
    assert!(whole.status == 200 && whole.headers.contains("content-type: video/mp4"), "{}", whole.headers);
    assert_eq!(whole.body.len() as u64, video["FileSize"]);
    let range = client.get(path, "Range: bytes=100-299\r\n");
    assert_eq!((range.status, &range.body), (206, &whole.body[100..300].to_vec()));
    assert!(range.headers.contains(&format!("content-range: bytes 100-299/{}", whole.body.len())));
    assert_eq!(client.get(path, "Range: bytes=999999999-\r\n").status, 416);
    let file = place.scratch.join("fetched.mp4");
    std::fs::write(&file, &whole.body).unwrap();
    assert_eq!(complaints(&file), "");
    for other in ["other.mp4", "..%2Fdelivery.json", "%2E%2E%2Fresult.json", "..%2F..%2Ftask.json", ".live"] {
        assert_eq!(client.get(&format!("/files/{task}/{other}"), "").status, 404, "{other}");
    }

    let told: Value = serde_json::from_slice(&server.posted("/callback", DEADLINE).unwrap()).unwrap();
    let mut expected = finished.clone();
    expected["Status"] = json!("callback");
    expected["UserData"] = json!({"lesson": [42]});
    expected.as_object_mut().unwrap().remove("RequestID");
    assert_eq!(told, expected);
    assert!(server.posted("/callback", Duration::from_secs(3)).is_none(), "told twice");
    end(run);
}

#[test]
fn hls_with_a_key_keeps_it_to_itself_and_no_secret_longer_than_it_is_needed() {
    let server = Server::start();
    let place = Place::new(&[]);
    let run = place.serve();
    let client = place.client();
    let key = "21834cca41778803e1afba3f41e70c90";
    let cookie = "only-the-page-may-know-this";
    let task = client.start(json!({
        "RecordURL": server.url("clock.html"), "Width": 640, "Height": 360, "FrameRate": 15,
        "LoginState": {"cookies": [{"name": "session", "value": cookie}]},
        "Output": {"Video": {"Muxer": "hls", "EncryptKey": key, "AuthUrl": "https://school.example/key"}},
    }));
    client.until(&task, "recording", DEADLINE);
    sleep(Duration::from_secs(2));
    assert_eq!(holders(&place, &[key, cookie]), ["hls.key", "login.json"]);
    client.tell("Stop", &task);
    let finished = client.until(&task, "finished", DEADLINE);
    assert_eq!(finished["Result"]["Videos"][0]["Filename"], "playlist.m3u8", "{finished}");
    let playlist = client.get(&format!("/files/{task}/playlist.m3u8"), "");
    let text = String::from_utf8(playlist.body).unwrap();
    assert!(text.contains("https://school.example/key"), "{text}");
    let segment = text.lines().find(|line| !line.starts_with('#')).expect("a segment");
    let segment = client.get(&format!("/files/{task}/{segment}"), "");
    assert!(segment.status == 200 && segment.headers.contains("content-type: video/mp2t"), "{}", segment.headers);

    let secrets = place.data().join(&task).join("secrets");
    gone(&secrets.join("hls.key"), &secrets.join("login.json"));
    assert_eq!(holders(&place, &[key, cookie]), [""; 0]);
    assert!(!run.stderr().contains(key) && !run.stderr().contains(cookie));
    end(run);

    // What a process leaves that is killed just then.
    for name in ["hls.key", "login.json"] {
        std::fs::write(secrets.join(name), key).unwrap();
    }
    let next = place.serve();
    gone(&secrets.join("hls.key"), &secrets.join("login.json"));
    end(next);
}

/// They go with the end, a moment after it is told.
fn gone(one: &Path, other: &Path) {
    let until = Instant::now() + DEADLINE;
    while one.exists() || other.exists() {
        assert!(Instant::now() < until, "{} or {} stays", one.display(), other.display());
        sleep(Duration::from_millis(20));
    }
}

/// The names of all files that hold one of these secrets; nobody else may read them.
fn holders(place: &Place, secrets: &[&str]) -> Vec<String> {
    let mut holders = Vec::new();
    let mut folders = vec![place.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            let holds = |secret: &&str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            if secrets.iter().any(holds) {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
                holders.push(entry.file_name().into_string().unwrap());
            }
        }
    }
    holders.sort();
    holders
}

#[test]
fn files_are_behind_the_prefix_too() {
    let server = Server::start();
    let place = Place::new(&["--path-prefix", "/release", "--public-url", "https://record.example/release"]);
    let run = place.serve();
    let client = place.client();
    let task = client.start(json!({"RecordURL": server.url("clock.html"), "Width": 640, "Height": 360}));
    client.until(&task, "recording", DEADLINE);
    sleep(Duration::from_secs(1));
    client.tell("Stop", &task);
    let finished = client.until(&task, "finished", DEADLINE);
    let video = &finished["Result"]["Videos"][0];
    let url = video["FileURL"].as_str().unwrap_or_else(|| panic!("{finished}"));
    let path = url.strip_prefix("https://record.example").unwrap();
    assert!(path.starts_with(&format!("/release/files/{task}/")), "{url}");
    for path in [path, path.strip_prefix("/release").unwrap()] {
        let whole = client.get(path, "");
        assert_eq!((whole.status, whole.body.len() as u64), (200, video["FileSize"].as_u64().unwrap()), "{path}");
    }
    end(run);
}
