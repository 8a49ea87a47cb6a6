use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Installed, Made, from_spec, to_spec};
use crate::gateway::action::{Refusal, Request, Start, read};
use crate::resource::{Installation, Origin, OwnCredentials, OwnStore, RecordingSpec, ask};
use crate::session::name::TaskId;

const TASK: &str = "7a0313e2-9a42-4f5b-a3b0-1d5d0a1a2b3c";
const KEY: &str = "21834cca41778803e1afba3f41e70c90";

fn start(fields: &Value) -> Start {
    let mut data = json!({"RecordURL": "https://school.example/lesson?a=1"});
    data.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    match read(json!({"Action": "Start", "Data": data}).to_string().as_bytes()).1 {
        Ok(Request::Start(start)) => *start,
        Ok(_) => panic!("another action"),
        Err(refusal) => panic!("{refusal}: {fields}"),
    }
}

fn made(fields: &Value, installed: &Installed) -> Result<Made, Refusal> {
    to_spec(&start(fields), &TASK.parse::<TaskId>().unwrap(), installed)
}

fn installed(json: Value) -> Installed {
    serde_json::from_value(json).unwrap()
}

/// The spec as JSON, with what has no value or its default left in.
fn spec(fields: &Value, from: Value) -> Value {
    serde_json::to_value(made(fields, &installed(from)).ok().unwrap().spec).unwrap()
}

#[test]
fn a_start_of_nothing_but_a_page_is_the_resource_of_nothing_but_a_page() {
    let plain: RecordingSpec = serde_json::from_value(json!({"url": "https://school.example/lesson?a=1"})).unwrap();
    let made = made(&json!({}), &Installed::default()).ok().unwrap();
    assert_eq!(made.spec, plain);
    assert!(made.secret.is_empty());
}

#[test]
fn every_field_comes_to_its_place() {
    let fields = json!({
        "ManualStart": "true", "Width": 0, "Height": 361, "CallbackURL": "http://school.example/done",
        "MaxDurationLimit": 7200, "PageTitle": "Lesson", "Headers": {"UserAgent": "Mozilla"}, "FrameRate": 15,
        "MaxBitrate": 500, "Codec": "VP9", "PauseMode": "Black", "StorageType": "cos", "LoginState": {"cookies": []},
        "Thumbnail": true, "UserData": {"class": 7},
        "Output": {
            "Cos": {"Domain": "abc.example", "Bucket": "lessons-125", "Region": "ap-shanghai", "TargetDir": "/11234/",
                    "TargetName": "lesson.m3u8"},
            "Video": {"Muxer": "hls", "EncryptKey": KEY, "AuthUrl": "https://school.example/key", "EncryptIv": KEY},
        },
    });
    let made = made(&fields, &Installed::default()).ok().unwrap();
    let expected: RecordingSpec = serde_json::from_value(json!({
        "url": "https://school.example/lesson?a=1", "width": 1280, "height": 361, "frameRate": 15, "start": "Manual",
        "startTimeoutSeconds": 7200, "maxDurationSeconds": 7200, "pauseMode": "Black",
        "page": {"userAgent": "Mozilla", "title": "Lesson", "loginSecretRef": {"name": TASK}},
        "intermediate": {"type": "Bucket"},
        "output": {
            "format": "HLS", "thumbnail": true, "directory": "11234", "name": "lesson", "segmentSeconds": 30,
            "video": {"codec": "VP9", "maxBitrateKbps": 500},
            "encryption": {"keySecretRef": {"name": TASK}, "keyURL": "https://school.example/key", "iv": KEY},
            "destination": {"s3": {"bucket": "lessons-125", "region": "ap-shanghai",
                                   "publicDomain": "http://abc.example"}},
        },
        "callback": {"url": "http://school.example/done", "userData": "{\"class\":7}"},
    }))
    .unwrap();
    assert_eq!(made.spec, expected);
    let secret: Vec<_> = made.secret.iter().map(|(key, value)| (*key, value.expose())).collect();
    assert_eq!(secret, [("panorec-hls.key", KEY), ("panorec-login.json", r#"{"cookies":[]}"#)]);
    // Back again: all but the secrets.
    assert_eq!(from_spec(&made.spec).unwrap(), start(&fields).parameters);
}

#[test]
fn a_manual_start_is_waited_for_as_long_as_the_limit() {
    for (limit, seconds) in [(json!(0), 21_600), (json!(null), 21_600), (json!(36_000), 36_000), (json!(5), 5)] {
        let made = spec(&json!({"ManualStart": true, "MaxDurationLimit": limit}), json!({}));
        assert_eq!((&made["startTimeoutSeconds"], &made["maxDurationSeconds"]), (&json!(seconds), &json!(seconds)));
    }
}

#[test]
fn what_a_start_does_not_say_is_the_installations() {
    let own = json!({"s3": {"bucket": "own", "endpoint": "https://store.example", "credentialsSecretRef": {"name": "c"},
                            "presignSeconds": 60}});
    let s3 = |cos: Value, own: &Value| {
        spec(&json!({"Output": {"Cos": cos}}), own.clone())["output"]["destination"]["s3"].clone()
    };
    let plain = s3(json!({}), &own);
    assert_eq!((&plain["bucket"], &plain["presignSeconds"]), (&json!("own"), &json!(60)));
    assert_eq!(plain["credentialsSecretRef"]["name"], "c");
    let named = s3(json!({"Bucket": "other", "Region": "ap-x", "Domain": "https://cdn.example/v"}), &own);
    assert_eq!((&named["bucket"], &named["region"]), (&json!("other"), &json!("ap-x")));
    assert_eq!(named["endpoint"], "https://store.example");
    assert_eq!((&named["publicDomain"], &named["presignSeconds"]), (&json!("https://cdn.example/v"), &Value::Null));
    let cdn = json!({"s3": {"bucket": "own", "publicDomain": "cdn.example"}});
    assert_eq!(s3(json!({}), &cdn)["publicDomain"], "cdn.example");
    assert_eq!(s3(json!({"Bucket": "other"}), &cdn)["publicDomain"], Value::Null);
    // Without a word of a place the operator's default stands, and the names still count.
    let made = spec(&json!({"Output": {"Cos": {"TargetDir": "a/", "TargetName": "b.mp4"}}}), json!({}));
    assert_eq!(made["output"]["destination"], Value::Null);
    assert_eq!((&made["output"]["directory"], &made["output"]["name"]), (&json!("a"), &json!("b")));
    let refused = made_err(&json!({"Output": {"Cos": {"Domain": "a.example"}}}), json!({}));
    assert_eq!(refused, "Output.Cos.Bucket is missing, and this installation has none");
}

fn made_err(fields: &Value, from: Value) -> String {
    made(fields, &installed(from)).err().unwrap().message
}

#[test]
fn vod_wins_over_cos() {
    let fields = json!({"Output": {
        "Cos": {"Bucket": "lessons-125", "Region": "ap-shanghai", "TargetDir": "a", "TargetName": "b"},
        "Vod": {"SubAppId": "1500007120", "MediaInfo": {"MediaName": "n", "ExpireTime": "2023-10-01T10:00:00Z",
                "StorageRegion": "ap-shanghai", "ClassId": "1", "SourceContext": "s"},
                "ProcedureInfo": {"Procedure": "p", "SessionContext": "c"}},
    }});
    let own = json!({"vod": {"credentialsSecretRef": {"name": "vod"}}});
    let output = spec(&fields, own.clone())["output"].clone();
    assert_eq!(
        output["destination"],
        json!({"vod": {"subAppId": 1_500_007_120, "mediaName": "n", "expireTime": "2023-10-01T10:00:00Z",
                       "storageRegion": "ap-shanghai", "classId": 1, "sourceContext": "s", "procedure": "p",
                       "sessionContext": "c", "credentialsSecretRef": {"name": "vod"}}})
    );
    assert_eq!((&output["directory"], &output["name"]), (&json!(""), &json!("")));
    assert_eq!(made_err(&fields, json!({})), "create task failed(this installation has no credentials for VOD)");
    let made = made(&fields, &installed(own.clone())).ok().unwrap();
    assert_eq!(from_spec(&made.spec).unwrap().output.vod, start(&fields).parameters.output.vod);

    // The pieces go into a bucket that is no destination.
    let mut kept = fields.clone();
    kept["StorageType"] = json!("cos");
    let intermediate = spec(&kept, own.clone())["intermediate"].clone();
    assert_eq!((&intermediate["type"], &intermediate["s3"]["bucket"]), (&json!("Bucket"), &json!("lessons-125")));
    let mut raw = own.clone();
    raw["intermediate"] = json!({"bucket": "raw", "publicDomain": "https://a.example"});
    let intermediate = spec(&kept, raw)["intermediate"].clone();
    assert_eq!((&intermediate["s3"]["bucket"], &intermediate["s3"]["publicDomain"]), (&json!("raw"), &Value::Null));
    kept["Output"]["Cos"] = json!(null);
    assert_eq!(made_err(&kept, own), "Output.Cos.Bucket is missing: StorageType cos needs a bucket besides VOD");
}

#[test]
fn the_operator_can_follow_what_is_made() {
    let origin = Origin {
        namespace: "school",
        name: TASK,
        uid: "0f6c1d2e-0000",
        created: Timestamp::from_second(1_700_000_000).unwrap(),
    };
    let installation = Installation {
        store: Some(OwnStore {
            endpoint: None,
            region: Some("ap-shanghai".into()),
            buckets: vec!["lessons-*".parse().unwrap()],
            credentials: OwnCredentials::Ambient,
        }),
        ..Installation::default()
    };
    let own = json!({"s3": {"bucket": "lessons-125", "region": "ap-shanghai", "credentialsSecretRef": {"name": "c"}},
                     "vod": {"credentialsSecretRef": {"name": "v"}}});
    for fields in [
        json!({}),
        json!({"Width": 1, "Height": "2560"}),
        json!({"Output": {"Cos": {}}}),
        json!({"StorageType": "cos", "Output": {"Cos": {"Domain": "a.example:8080", "TargetDir": "/é/"}}}),
        json!({"StorageType": "cos", "Output": {"Vod": {}}}),
        json!({"Output": {"Video": {"Muxer": "hls", "EncryptKey": KEY, "AuthUrl": "https://a.example/k"}}}),
    ] {
        let made = made(&fields, &installed(own.clone())).ok().unwrap();
        ask(&made.spec, origin, &installation).unwrap_or_else(|rejection| panic!("{rejection}: {fields}"));
    }
}
