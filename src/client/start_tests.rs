use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::client::request::Again;
use crate::gateway::action::{Request as Read, read};

const PAGE: &str = "https://school.example/lesson";
const KEY: &str = "21834cca41778803e1afba3f41e70c90";

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    start: StartArgs,
}

fn started(args: &[&str]) -> Result<(Value, String), Complaint> {
    let line = Line::try_parse_from([&["start"], args].concat()).unwrap();
    let (request, token) = line.start.request()?;
    assert_eq!(request.again, Again::Always);
    Ok((serde_json::from_str(&request.body).unwrap(), token))
}

#[test]
fn every_field_of_the_api_has_its_option() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (login, key) = (file("login", r#"{"cookies": []}"#), file("key", KEY));
    let args = format!(
        "{PAGE} --task-id 7a0313e2-9a42-4f5b-a3b0-1d5d0a1a2b3c --client-token t --manual-start --width 640 --height 360 \
         --callback-url http://school.example/done --max-duration 1h --storage-type cos --title Lesson \
         --user-agent Mozilla --login {login} --frame-rate 15 --max-bitrate 500 --codec vp9 --pause-mode black \
         --thumbnail --user-data [42] --format hls --hls-key-file {key} --hls-key-url https://school.example/key \
         --hls-iv {KEY} --cos-bucket lessons-125 --cos-region ap-shanghai --cos-domain abc.example \
         --cos-target-dir 11234/ --cos-target-name lesson --vod --vod-sub-app-id 1500007120 --vod-media-name n \
         --vod-expire-time 2026-10-01T10:00:00Z --vod-storage-region ap-shanghai --vod-class-id 1 \
         --vod-source-context s --vod-procedure p --vod-session-context c"
    );
    let (body, token) = started(&args.split_whitespace().collect::<Vec<_>>()).unwrap();
    let expected = json!({
        "Action": "Start", "TaskID": "7a0313e2-9a42-4f5b-a3b0-1d5d0a1a2b3c",
        "Data": {
            "RecordURL": PAGE, "ClientToken": "t", "ManualStart": true, "Width": 640, "Height": 360,
            "CallbackURL": "http://school.example/done", "MaxDurationLimit": 3600, "StorageType": "cos",
            "PageTitle": "Lesson", "Headers": {"UserAgent": "Mozilla"}, "LoginState": {"cookies": []}, "FrameRate": 15,
            "MaxBitrate": 500, "Codec": "vp9", "PauseMode": "black", "Thumbnail": true, "UserData": [42],
            "Output": {
                "Video": {"Muxer": "hls", "EncryptKey": KEY, "AuthUrl": "https://school.example/key", "EncryptIv": KEY},
                "Cos": {"Bucket": "lessons-125", "Region": "ap-shanghai", "Domain": "abc.example",
                        "TargetDir": "11234/", "TargetName": "lesson"},
                "Vod": {"SubAppId": 1_500_007_120,
                        "MediaInfo": {"MediaName": "n", "ExpireTime": "2026-10-01T10:00:00Z",
                                      "StorageRegion": "ap-shanghai", "ClassId": 1, "SourceContext": "s"},
                        "ProcedureInfo": {"Procedure": "p", "SessionContext": "c"}},
            },
        },
    });
    assert_eq!((&body, token.as_str()), (&expected, "t"));
    // And the gateway reads each of them.
    let Ok(Read::Start(start)) = read(body.to_string().as_bytes()).1 else { panic!("it was not read") };
    let shown = serde_json::to_value(&start.parameters).unwrap();
    let kept = |name: &&String| !["ClientToken", "LoginState"].contains(&name.as_str());
    for name in expected["Data"].as_object().unwrap().keys().filter(kept) {
        assert!(shown.get(name).is_some(), "{name}");
    }
    assert!(start.encrypt_key.is_some() && start.login_state.is_some() && start.client_token.is_some());
}

#[test]
fn a_start_of_nothing_but_a_page_has_a_token_of_its_own() {
    let (first, token) = started(&[PAGE]).unwrap();
    assert_eq!(first, json!({"Action": "Start", "Data": {"RecordURL": PAGE, "ClientToken": token}}));
    assert_ne!(started(&[PAGE]).unwrap().1, token);
    let (vod, token) = started(&[PAGE, "--vod"]).unwrap();
    assert_eq!(vod["Data"], json!({"RecordURL": PAGE, "ClientToken": token, "Output": {"Vod": {}}}));
}

#[test]
fn options_go_over_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.json");
    let path = path.to_str().unwrap();
    let of = |data: Value, args: &[&str]| {
        std::fs::write(path, data.to_string()).unwrap();
        started(&[&["--data", path], args].concat())
    };
    let base = json!({"RecordURL": "https://a.example/", "Unknown": [1], "ClientToken": "t",
                      "Output": {"Cos": {"Bucket": "b", "Region": "r"}}});
    assert_eq!(of(base.clone(), &[]).unwrap().0["Data"], base);
    let (body, token) = of(base, &[PAGE, "--cos-bucket", "other"]).unwrap();
    let over = json!({"RecordURL": PAGE, "Unknown": [1], "ClientToken": "t",
                      "Output": {"Cos": {"Bucket": "other", "Region": "r"}}});
    assert_eq!((&body["Data"], token.as_str()), (&over, "t"));
    assert_eq!(of(json!({"Output": null}), &["--vod"]).unwrap().0["Data"]["Output"], json!({"Vod": {}}));
    for (data, args, says) in [
        (json!([]), &[][..], "Data must be an object"),
        (json!({"Output": "x"}), &["--vod"], "Output.Vod must be an object"),
        (json!({"Output": {"Cos": 1}}), &["--cos-bucket", "b"], "Output.Cos must be an object"),
    ] {
        let said = of(data, args).err().unwrap().to_string();
        assert!(said.contains(says), "{said}");
    }
    assert!(Line::try_parse_from(["start"]).is_err());
}
