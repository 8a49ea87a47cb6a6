//! `panorec serve` with a store: what a Start names, from its request to what is told of the video.

#[path = "../gateway/client.rs"]
mod client;
#[allow(dead_code)] // this test uses its share
#[path = "../serve/place.rs"]
mod place;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::media as support;
use crate::server::{BUCKET, Server};
use place::{DEADLINE, end};

/// Records a few seconds by a `panorec serve` with these arguments, and with keys: whoever calls reaches the
/// installation's stores alone. What is described at the end, for each Output.
pub fn recorded<const N: usize>(folder: &Path, args: &[&str], outputs: [Value; N]) -> [Value; N] {
    let pages = support::Server::start();
    let keys = folder.join("keys.json");
    std::fs::write(&keys, r#"{"keys": [{"id": "school", "secret": "s"}]}"#).expect("written");
    let keys = ["--keys", keys.to_str().expect("a path"), "--page-egress", "open"];
    let place = place::Place::new(&[&keys[..], args].concat());
    let run = place.serve();
    let client = place.client().signing("school", "s");
    let finished = outputs.map(|output| {
        let page = pages.url("clock.html");
        let asked =
            json!({"RecordURL": page, "Width": 640, "Height": 360, "FrameRate": 15, "Output": output, "Thumbnail": true});
        let task = client.start(asked);
        client.until(&task, "recording", DEADLINE);
        std::thread::sleep(Duration::from_secs(3));
        client.tell("Stop", &task);
        client.until(&task, "finished", DEADLINE)
    });
    end(run);
    finished
}

#[test]
fn a_start_says_where_in_the_bucket_its_video_goes() {
    let (server, place) = (Server::start(), crate::Place::new());
    let credentials = place.credentials_file();
    let store = ["--s3-endpoint", &server.url(), "--s3-region", "us-east-1"];
    let args = [&store[..], &["--s3-credentials", credentials.to_str().expect("a path")]].concat();
    let cos = |cos: Value| json!({"Cos": cos});
    let [named, default] = recorded(
        place.path(),
        &args,
        [
            cos(json!({"Bucket": BUCKET, "TargetDir": "2026/maths/", "TargetName": "lesson 1.mp4"})),
            cos(json!({"Bucket": BUCKET, "Domain": "video.example.com"})),
        ],
    );
    let own = format!("{}/{BUCKET}/", server.url());
    for (finished, base) in [(&named, own.as_str()), (&default, "http://video.example.com/")] {
        let videos = finished["Result"]["Videos"].as_array().map(Vec::as_slice);
        let Some([video]) = videos else { panic!("{finished}") };
        println!("    {video}");
        let url = video["FileURL"].as_str().unwrap_or_else(|| panic!("{video}"));
        let key = url.strip_prefix(base).unwrap_or_else(|| panic!("{url}")).replace("%20", " ");
        if finished == &named {
            assert_eq!(key, "2026/maths/lesson 1.mp4");
        } else {
            let (folder, name) = key.split_once('/').expect("a folder");
            assert_eq!(folder, finished["TaskID"]);
            let created: i64 = name.strip_suffix(".mp4").and_then(|name| name.parse().ok()).expect("a time");
            assert_eq!(created / 1000, finished["CreateTime"]);
        }
        assert_eq!(key.rsplit('/').next(), video["Filename"].as_str());
        let bytes = server.read(&key);
        assert_eq!(bytes.len() as u64, video["FileSize"]);
        let file = place.path().join("read.mp4");
        std::fs::write(&file, bytes).expect("written");
        assert_eq!(support::measure::complaints(&file), "");
        let seconds = video["FileDuration"].as_f64().unwrap_or_default();
        assert!((2.0..10.0).contains(&seconds), "{video}");
        let picture = key.replace(".mp4", ".jpg");
        assert!(!server.read(&picture).is_empty(), "{picture}");
    }
    assert_eq!(server.open_uploads(), "0");
}
