//! `panorec serve` with VOD.

use panorec::store::Delivered;
use serde_json::{Value, json};

use super::Stand;
use super::api::{Fate, SECRET_KEY, SUB_APP_ID};
use crate::served::recorded;

#[test]
fn a_start_makes_a_media_of_its_own() {
    let stand = Stand::new(|_, _| Fate::Answered);
    stand.place.vod_credentials(SECRET_KEY);
    let folder = stand.place.path();
    let credentials = folder.join("panorec-vod.json");
    let args = [
        "--vod-credentials",
        credentials.to_str().expect("a path"),
        "--vod-endpoint",
        &stand.vod.url(),
        "--vod-store-endpoint",
        &stand.proxy.url(),
    ];
    let output = json!({
        "Vod": {
            "SubAppId": SUB_APP_ID.to_string(),
            "MediaInfo": {"MediaName": "lesson 1", "ClassId": "7", "SourceContext": "from the tests"},
            "ProcedureInfo": {"Procedure": "", "SessionContext": "room 4"},
        },
    });
    let [finished] = recorded(folder, &args, [output]);
    let Some([video]) = finished["Result"]["Videos"].as_array().map(Vec::as_slice) else { panic!("{finished}") };
    println!("    {video}");
    let text = |name: &str| video[name].as_str().map(str::to_owned);
    let medium = stand.vod.world().media[0].clone();
    let stored = stand.server.read(&medium.key);
    assert_eq!(video["FileSize"], stored.len());
    let file = folder.join(text("Filename").expect("a name"));
    std::fs::write(&file, stored).expect("written");
    assert_eq!(crate::media::measure::complaints(&file), "");
    let delivered = Delivered { name: String::new(), size_bytes: 0, url: text("FileURL"), file_id: text("FileId") };
    stand.assert_media(&delivered, &[file]);
    assert!(medium.cover.is_some(), "the thumbnail");
    let applied: Vec<Value> = stand
        .vod
        .world()
        .asked
        .iter()
        .filter(|asked| asked.action == "ApplyUpload")
        .map(|asked| asked.body.clone())
        .collect();
    let [applied] = applied.as_slice() else { panic!("{applied:?}") };
    for (name, value) in [
        ("MediaName", json!("lesson 1")),
        ("ClassId", json!(7)),
        ("SourceContext", json!("from the tests")),
        ("SessionContext", json!("room 4")),
        ("SubAppId", json!(SUB_APP_ID)),
    ] {
        assert_eq!(applied[name], value, "{applied}");
    }
    assert!(applied.get("Procedure").is_none(), "{applied}");
}
