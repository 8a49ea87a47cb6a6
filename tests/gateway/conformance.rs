//! What every gateway of the Action API has to do, seen from outside: the tables of the API, row by row. Takes any
//! gateway that records pages of this machine.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::client::{Client, rank, rank_of};

/// A recording is at work, or over, within this.
const SOON: Duration = Duration::from_secs(120);
const NOBODY: &str = "0d9c7f5e-6a1b-4c3d-9e8f-7a6b5c4d3e2f";

/// Where the suite's pages and callbacks are.
pub struct Pages {
    /// A page that can be recorded.
    pub page: String,
    /// Takes a POST only after several tries.
    pub slow_callback: String,
}

/// How a callback answers that takes a POST only after several tries: status and body.
pub fn slowly() -> impl Fn(&[u8]) -> (u16, Vec<u8>) + Send + Sync {
    let tries = AtomicUsize::new(0);
    move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0..3 => (503, Vec::new()),
        _ => (204, Vec::new()),
    }
}

/// A small recording of the page, with more said of it.
fn small(pages: &Pages, more: &Value) -> Value {
    let mut data = json!({"RecordURL": pages.page, "Width": 640, "Height": 360, "FrameRate": 15});
    merge(&mut data, more);
    data
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

#[track_caller]
fn refused(answered: &Value, code: &str, message: &str) {
    assert_eq!(answered["ErrorCode"], code, "{answered}");
    assert_eq!(answered["ErrorMessage"], message, "{answered}");
    assert!(answered.get("TaskID").is_none(), "{answered}");
}

#[track_caller]
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// How requests are written and answered.
pub fn envelope(client: &Client) {
    for (body, message) in [
        (json!({}), "Action is missing"),
        (json!([1]), "the body must be an object"),
        (json!({"Action": "Start", "Data": 7}), "Data must be an object"),
        (json!({"Action": "Describe", "Data": {"TaskID": "no task's name at all"}}), "invalid task id, task not found"),
    ] {
        refused(&client.said(&body), "InvalidParam", message);
    }
    let unknown = client.ask("Record", json!({}));
    assert_eq!(unknown["ErrorCode"], "InvalidParam", "{unknown}");
    let wrapped = client.said(&json!({"RecordAction": "Describe", "RecordData": {"TaskID": NOBODY}}));
    assert_eq!(keys(&wrapped), ["Response"]);
    refused(&wrapped["Response"], "InvalidParam", "invalid task id, task not found");

    let no_json = client.post(b"{\"Action\": ");
    assert_eq!((no_json.status, no_json.json()["ErrorCode"].clone()), (200, json!("InvalidParam")));
    let long = client.post(&vec![b' '; (1 << 20) + 1]);
    assert_eq!((long.status, long.json()["ErrorCode"].clone()), (200, json!("InvalidParam")));
    let mut ids = HashSet::new();
    for _ in 0..8 {
        let answered = client.ask("List", json!({}));
        assert!(ids.insert(answered["RequestID"].to_string()), "twice: {answered}");
    }
    assert_eq!(client.get("/nothing", "").status, 404);
    assert_eq!(client.get(&client.path, "").status, 405);
    assert_eq!(client.get("/healthz", "").status, 200);
    assert_eq!(client.get("/readyz", "").status, 200);
}

/// The validation of a Start: its rows in their order, each with its words. What is wrong is mended step by step.
pub fn validation(client: &Client) {
    let mut data = json!({
        "Width": 2561, "Height": -1, "MaxDurationLimit": 36001,
        "Output": {
            "Video": {"EncryptKey": "short"},
            "Vod": {
                "MediaInfo": {"MediaName": "null", "StorageRegion": "  ", "ExpireTime": "undefined"},
                "ProcedureInfo": {"Procedure": "null"},
            },
        },
    });
    let video = |more: Value| json!({"Output": {"Video": more}});
    let media = |more: Value| json!({"Output": {"Vod": {"MediaInfo": more}}});
    for (mended, message) in [
        (json!({}), "RecordURL is missing"),
        (json!({"RecordURL": ""}), "RecordURL is missing"),
        (json!({"RecordURL": "gopher://a"}), "Width must in range [1, 2560]"),
        (json!({"Width": 0}), "Height must in range [1, 2560]"),
        (json!({"Height": 2560}), "MaxDurationLimit must in range [0, 36000]"),
        (json!({"MaxDurationLimit": 36000}), "Muxer must set in OutputVideo"),
        (video(json!({"Muxer": "avi"})), "OutputVideoFormat must be one of mp4, hls"),
        (video(json!({"Muxer": "hls"})), "The AuthUrl must be set with EncryptKey"),
        (video(json!({"AuthUrl": "https://a.example/key"})), "Vod.MediaInfo.MediaName is invalid, please check."),
        (media(json!({"MediaName": "lesson"})), "Vod.MediaInfo.StorageRegion is invalid, please check."),
        (media(json!({"StorageRegion": "ap-shanghai"})), "Vod.MediaInfo.ExpireTime is invalid, please check."),
        (media(json!({"ExpireTime": "2099-10-01T10:00:00Z"})), "Vod.ProcedureInfo.Procedure is invalid, please check."),
    ] {
        merge(&mut data, &mended);
        refused(&client.ask("Start", data.clone()), "InvalidParam", message);
    }
    for mended in [
        json!({"Output": {"Vod": {"ProcedureInfo": {"Procedure": ""}}}}),
        video(json!({"EncryptKey": "21834cca41778803e1afba3f41e70c90"})),
    ] {
        merge(&mut data, &mended);
        let answered = client.ask("Start", data.clone());
        assert_eq!(answered["ErrorCode"], "InvalidParam", "{answered}");
    }
    for (name, value) in [("Width", json!("wide")), ("Height", json!(1.5)), ("MaxDurationLimit", json!(-1))] {
        let data = json!({"RecordURL": "https://a.example/", name: value});
        let answered = client.ask("Start", data);
        assert_eq!(answered["ErrorCode"], "InvalidParam", "{answered}");
        let message = answered["ErrorMessage"].as_str().unwrap_or_default();
        assert!(message.starts_with(&format!("{name} must ")), "{answered}");
    }
    assert_eq!(client.ask("List", json!({}))["Total"], 0, "nothing was made of them");
}

/// What clients write in other ways than the document does, and what a Start is without what it leaves out.
pub fn lenient(client: &Client, pages: &Pages) {
    let url = &pages.page;
    let defaults = json!({
        "RecordURL": url, "ManualStart": false, "Width": 1280, "Height": 720, "MaxDurationLimit": 21600,
        "StorageType": "cfs", "Output": {"Video": {"Muxer": "mp4"}},
    });
    let video = |muxer: &str| json!({"Output": {"Video": {"Muxer": muxer}}});
    for (said, shown) in [
        (json!({"Width": 0, "Height": null, "MaxDurationLimit": 0, "CallbackURL": "", "StorageType": " "}), json!({})),
        (
            json!({"Width": "640", "Height": "360", "MaxDurationLimit": "60"}),
            json!({"Width": 640, "Height": 360, "MaxDurationLimit": 60}),
        ),
        (json!({"ManualStart": "true", "Unknown": {"a": [1]}}), json!({"ManualStart": true})),
        (json!({"StorageType": "cfs", "Output": {"Cos": {}, "Vod": null}}), json!({})),
        (
            json!({"Output": {"Video": {"Muxer": "hls"}, "Cos": {"TargetName": "lesson.m3u8", "TargetDir": "/11234/"}}}),
            json!({"Output": {"Video": {"Muxer": "hls"}, "Cos": {"TargetName": "lesson", "TargetDir": "11234"}}}),
        ),
        (video("mp4"), json!({})),
    ] {
        let mut data = json!({"RecordURL": url});
        merge(&mut data, &said);
        let task = client.start(data);
        let detail = client.tell("DescribeDetail", &task);
        client.tell("Stop", &task);
        let mut expected = defaults.clone();
        merge(&mut expected, &shown);
        contains(&detail["Data"], &expected);
        assert_eq!(rank(&client.until(&task, "finished", SOON)), 6);
    }
}

/// Whether all that is expected is there.
#[track_caller]
fn contains(found: &Value, expected: &Value) {
    match expected {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| contains(&found[name], value)),
        value => assert_eq!(found, value),
    }
}

/// Actions without a task, and on one that is not there.
pub fn no_task(client: &Client) {
    for (action, missing) in [
        ("Describe", "TaskID is missing"),
        ("DescribeDetail", "TaskID is missing"),
        ("Pause", "TaskID is missing"),
        ("Resume", "TaskID is missing"),
        ("Stop", "TaskID missing."),
        ("Cancel", "TaskID missing."),
        ("ForceStop", "TaskID missing."),
        ("Refresh", "TaskID missing."),
    ] {
        for data in [Value::Null, json!({}), json!({"TaskID": ""}), json!({"TaskID": null})] {
            refused(&client.ask(action, data), "InvalidParam", missing);
        }
        for id in [NOBODY, "../../etc", "é"] {
            refused(&client.tell(action, id), "InvalidParam", "invalid task id, task not found");
        }
    }
}

/// A Start may name its task, and both forms of a request make one.
pub fn names(client: &Client, pages: &Pages) {
    let named = NOBODY.replace('0', "1");
    let body = json!({"Action": "Start", "TaskID": named.to_uppercase(), "Data": small(pages, &json!({}))});
    assert_eq!(client.said(&body)["TaskID"], *named);
    let again = client.said(&body);
    assert!(again["ErrorCode"].is_string() && again.get("TaskID").is_none(), "{again}");
    let wrapped = client.said(&json!({"RecordAction": "Start", "RecordData": small(pages, &json!({}))}));
    let other = wrapped["Response"]["TaskID"].as_str().expect("a task").to_owned();
    assert!(other.len() == 36 && other.as_bytes()[14] == b'4', "{other} is no UUID of version 4");
    for task in [&named, &other] {
        assert_eq!(
            client.said(&json!({"RecordAction": "Stop", "RecordData": {"TaskID": task}}))["Response"]["TaskID"],
            **task
        );
        client.until(task, "finished", SOON);
    }
}

/// What the actions do in a status: refused with words, or a success.
#[track_caller]
fn judge(client: &Client, task: &str, action: &str, is_refused: bool) {
    let answered = client.tell(action, task);
    if !is_refused {
        assert_eq!((&answered["TaskID"], keys(&answered).len()), (&json!(task), 2), "{action}: {answered}");
        return;
    }
    assert_eq!(answered["ErrorCode"], "InvalidStatus", "{action}: {answered}");
    let message = answered["ErrorMessage"].as_str().unwrap_or_default();
    let words = format!("can't {} a task in status ", action.to_ascii_lowercase());
    let status = message.strip_prefix(&words).unwrap_or_else(|| panic!("{action}: {answered}"));
    let now = client.describe(task);
    assert!(rank_of(status) <= rank(&now), "{action}: {answered}, then {now}");
}

/// Every action in every status. The short ones on the way to a file (transcode, upload) are met or not; their rows
/// are the same as that of canceled.
pub fn statuses(client: &Client, pages: &Pages) {
    // normal: a manual start is waited for.
    let waits = client.start(small(pages, &json!({"ManualStart": true})));
    assert_eq!(client.describe(&waits)["Status"], "normal");
    judge(client, &waits, "Resume", true);
    judge(client, &waits, "Refresh", false);
    assert_eq!(client.describe(&waits)["Status"], "normal");
    judge(client, &waits, "Pause", false);
    let paused = client.until(&waits, "paused", SOON);
    assert!(paused.get("StartTime").is_none(), "{paused}");
    judge(client, &waits, "Stop", false);
    let canceled = client.describe(&waits);
    assert!(rank(&canceled) >= 2 && canceled["CancelTime"].is_i64(), "{canceled}");
    let nothing = client.until(&waits, "finished", SOON);
    assert_eq!(nothing["Result"], json!({"Videos": []}), "{nothing}");
    assert_eq!(nothing["CancelTime"], canceled["CancelTime"], "{nothing}");

    let task = client.start(small(pages, &json!({"CallbackURL": pages.slow_callback})));
    client.until(&task, "recording", SOON);
    for (action, then) in [
        ("Resume", "recording"),
        ("Refresh", "recording"),
        ("Pause", "paused"),
        ("Pause", "paused"),
        ("Refresh", "paused"),
        ("Resume", "recording"),
        ("Resume", "recording"),
    ] {
        judge(client, &task, action, false);
        client.until(&task, then, SOON);
    }
    judge(client, &task, "Stop", false);
    let canceled = client.describe(&task);
    // Canceled at once, and never back, whatever is said.
    for status in ["canceled", "callback", "finished"] {
        client.until(&task, status, SOON);
        for (action, is_refused) in [
            ("Pause", true),
            ("Resume", true),
            ("Refresh", false),
            ("Stop", false),
            ("Cancel", false),
            ("ForceStop", false),
        ] {
            judge(client, &task, action, is_refused);
        }
        if status == "callback" {
            assert_eq!(client.describe(&task)["Status"], "callback", "the callback takes long enough to be met");
        }
    }
    let finished = client.describe(&task);
    assert_eq!(finished["Result"]["Videos"].as_array().map(Vec::len), Some(1), "{finished}");
    assert_eq!(finished["CancelTime"], canceled["CancelTime"], "{finished}");
}

/// List and DescribeDetail.
pub fn lists(client: &Client, pages: &Pages) {
    let old = client.start(small(pages, &json!({})));
    client.tell("Stop", &old);
    let finished = client.until(&old, "finished", SOON);
    let waits = client.start(small(pages, &json!({"ManualStart": true, "UserData": {"lesson": 42}})));
    let listed = |data: Value| {
        let answered = client.ask("List", data);
        let tasks = answered["Tasks"].as_array().expect("a list").clone();
        assert_eq!(answered["Total"], tasks.len(), "{answered}");
        let times: Vec<i64> = tasks.iter().map(|task| task["CreateTime"].as_i64().expect("a time")).collect();
        assert!(times.is_sorted_by(|newer, older| newer >= older), "the newest first: {times:?}");
        tasks.iter().map(|task| task["TaskID"].as_str().expect("an id").to_owned()).collect::<HashSet<_>>()
    };
    let created = finished["CreateTime"].as_i64().unwrap();
    let time = |second: i64| jiff::Timestamp::from_second(second).unwrap().strftime("%Y-%m-%d %H:%M:%S").to_string();
    for (data, has_old, has_new) in [
        (json!({}), true, true),
        (json!({"Status": "all"}), true, true),
        (json!({"Status": "running"}), false, true),
        (json!({"Status": "finished"}), true, false),
        (json!({"Status": "finished", "StartTime": time(created), "EndTime": time(created)}), true, false),
        (json!({"StartTime": time(created + 86_400)}), false, false),
        (json!({"EndTime": time(created - 86_400)}), false, false),
    ] {
        let found = listed(data.clone());
        assert_eq!((found.contains(&old), found.contains(&waits)), (has_old, has_new), "{data}");
    }
    for data in [json!({"Status": "some"}), json!({"StartTime": "yesterday"})] {
        assert_eq!(client.ask("List", data)["ErrorCode"], "InvalidParam");
    }
    let detail = client.tell("DescribeDetail", &waits);
    let mut described = detail.as_object().cloned().unwrap_or_else(Map::new);
    let data = described.remove("Data").expect("what was asked for");
    assert_eq!((&data["ManualStart"], &data["UserData"]), (&json!(true), &json!({"lesson": 42})));
    let mut shown = client.describe(&waits);
    shown["RequestID"] = described["RequestID"].clone();
    assert_eq!(Value::Object(described), shown);
    client.tell("Stop", &waits);
    client.until(&waits, "finished", SOON);
}
