use proptest::prelude::*;
use serde_json::{Value, json};

use super::envelope::{Request, read};
use super::parameters::{Muxer, Parameters, StorageType};
use super::refusal::{ErrorCode, Refusal};
use super::start::Start;
use crate::session::request::{Codec, PauseMode};

const KEY: &str = "21834cca41778803e1afba3f41e70c90";

fn start(data: &Value) -> Result<Start, Refusal> {
    match read(json!({"Action": "Start", "Data": data}).to_string().as_bytes()).1? {
        Request::Start(start) => Ok(*start),
        _ => Err(Refusal::internal("it was read as another action")),
    }
}

/// A Start of a page with these fields too.
fn with(fields: Value) -> Result<Start, Refusal> {
    let mut data = json!({"RecordURL": "https://school.example/lesson"});
    let Value::Object(fields) = fields else { return start(&fields) };
    data.as_object_mut().unwrap().extend(fields);
    start(&data)
}

#[track_caller]
fn parameters(fields: Value) -> Parameters {
    with(fields).map(|start| start.parameters).unwrap_or_else(|refusal| panic!("{refusal}"))
}

#[track_caller]
fn is_refused(read: Result<Start, Refusal>, message: &str) {
    let refusal = read.err().unwrap();
    assert_eq!((refusal.code, refusal.message.as_str()), (ErrorCode::InvalidParam, message));
}

#[test]
fn the_documents_sample_is_taken() {
    let sample = json!({
        "RecordURL": "https://cos.example/ponyo.mp4", "Width": 1280, "Height": 720,
        "CallbackURL": "http://xxx/webrecord/callback", "MaxDurationLimit": 21600,
        "Output": {
            "Cos": {"Domain": "abc.xxx.com", "Bucket": "webrecord-125", "Region": "ap-shanghai", "TargetDir": "11234/",
                    "TargetName": "record-file-name.mp4"},
            "Vod": {"MediaInfo": {"MediaName": "test", "ExpireTime": "2023-10-01T10:00:00Z",
                                  "StorageRegion": "ap-shanghai", "ClassId": 1},
                    "ProcedureInfo": {"Procedure": "", "SessionContext": ""}, "SubAppId": 1_500_007_120},
            "Video": {"Muxer": "hls", "EncryptKey": KEY, "AuthUrl": "https://a.example/m3u8-encrypt/enc.key"},
        },
    });
    let start = start(&sample).ok().unwrap();
    assert_eq!(start.encrypt_key.unwrap().expose(), KEY);
    let mut shown = serde_json::to_value(&start.parameters).unwrap();
    for (field, default) in [
        ("ManualStart", json!(false)),
        ("StorageType", json!("cfs")),
        ("Headers", json!({})),
        ("FrameRate", json!(30)),
        ("MaxBitrate", json!(8000)),
        ("Codec", json!("H264")),
        ("PauseMode", json!("Cut")),
        ("Thumbnail", json!(false)),
    ] {
        assert_eq!(shown.as_object_mut().unwrap().remove(field), Some(default), "{field}");
    }
    let mut expected = sample;
    expected["Output"]["Cos"]["TargetDir"] = json!("11234");
    expected["Output"]["Vod"]["ProcedureInfo"] = json!({});
    expected["Output"]["Video"].as_object_mut().unwrap().remove("EncryptKey");
    assert_eq!(shown, expected);
    let again: Parameters = serde_json::from_value(serde_json::to_value(&start.parameters).unwrap()).unwrap();
    assert_eq!(again, start.parameters);
}

#[test]
fn what_is_absent_blank_null_or_nought_is_the_default() {
    let plain = parameters(json!({}));
    assert_eq!((plain.width, plain.height), (1280, 720));
    assert_eq!(plain.max_duration_limit.get(), 21_600);
    assert!(!plain.manual_start && plain.callback_url.is_none() && plain.output.cos.is_none());
    assert_eq!((plain.storage_type, plain.output.video.muxer), (StorageType::Cfs, Muxer::Mp4));
    for nothing in [json!(null), json!(""), json!("  "), json!(0), json!("0"), json!(0.0)] {
        assert_eq!(parameters(json!({"Width": nothing, "Height": nothing, "MaxDurationLimit": nothing})), plain);
    }
    for nothing in [json!(null), json!(""), json!(" ")] {
        let fields = json!({
            "CallbackURL": nothing, "ManualStart": nothing, "StorageType": nothing, "PageTitle": nothing,
            "Headers": {"UserAgent": nothing}, "ClientToken": nothing, "FrameRate": nothing, "MaxBitrate": nothing,
            "Codec": nothing, "PauseMode": nothing, "Thumbnail": nothing, "Unknown": {"Nested": [1]},
            "Output": {"Unknown": 1, "Cos": null, "Vod": null, "Video": null},
        });
        assert_eq!(parameters(fields), plain);
    }
}

#[test]
fn numbers_and_truth_values_may_be_texts() {
    let read = parameters(json!({"Width": "640", "Height": " 360.0 ", "MaxDurationLimit": "36000", "FrameRate": "24"}));
    assert_eq!((read.width, read.height, read.max_duration_limit.get()), (640, 360, 36_000));
    assert_eq!(read.frame_rate.get(), 24);
    for truth in [json!(true), json!("true"), json!("True"), json!(1), json!("1")] {
        assert!(parameters(json!({"ManualStart": truth})).manual_start);
    }
    for truth in [json!(false), json!("false"), json!("FALSE"), json!(0), json!("0")] {
        assert!(!parameters(json!({"ManualStart": truth})).manual_start);
    }
    for id in [json!(1_500_007_120), json!("1500007120"), json!(1_500_007_120.0)] {
        let read = parameters(json!({"Output": {"Vod": {"SubAppId": id}}}));
        assert_eq!(read.output.vod.unwrap().sub_app_id, Some(1_500_007_120));
    }
    // Smaller than a display can be.
    assert_eq!(parameters(json!({"Width": 1})).width, 16);
    assert_eq!(parameters(json!({"Width": 2560, "Height": 2560})).height, 2560);
}

#[test]
fn every_row_has_its_words() {
    for data in [json!({}), json!({"RecordURL": ""}), json!({"RecordURL": "  "}), json!({"RecordURL": null})] {
        is_refused(start(&data), "RecordURL is missing");
    }
    for value in [json!(2561), json!(-1), json!("-1"), json!(1e300), json!("99999999999999999999"), json!(2560.5)] {
        is_refused(with(json!({"Width": value})), "Width must in range [1, 2560]");
        is_refused(with(json!({"Height": value})), "Height must in range [1, 2560]");
    }
    for value in [json!(36_001), json!(-1), json!("1e9"), json!(u64::MAX), json!(i64::MIN)] {
        is_refused(with(json!({"MaxDurationLimit": value})), "MaxDurationLimit must in range [0, 36000]");
    }
    for video in [json!({}), json!({"Muxer": ""}), json!({"Muxer": null}), json!({"EncryptKey": KEY})] {
        is_refused(with(json!({"Output": {"Video": video}})), "Muxer must set in OutputVideo");
    }
    for muxer in [json!("avi"), json!("MP4"), json!(1)] {
        is_refused(with(json!({"Output": {"Video": {"Muxer": muxer}}})), "OutputVideoFormat must be one of mp4, hls");
    }
    for url in [json!(null), json!(""), json!(" ")] {
        let video = json!({"Muxer": "hls", "EncryptKey": KEY, "AuthUrl": url});
        is_refused(with(json!({"Output": {"Video": video}})), "The AuthUrl must be set with EncryptKey");
    }
    for nothing in ["null", "undefined", " ", "   ", " null "] {
        for name in ["MediaName", "StorageRegion", "ExpireTime"] {
            let vod = json!({"MediaInfo": {name: nothing}});
            let words = format!("Vod.MediaInfo.{name} is invalid, please check.");
            is_refused(with(json!({"Output": {"Vod": vod}})), &words);
        }
        let vod = json!({"ProcedureInfo": {"Procedure": nothing}});
        is_refused(with(json!({"Output": {"Vod": vod}})), "Vod.ProcedureInfo.Procedure is invalid, please check.");
    }
}

#[test]
fn rows_are_checked_in_their_order() {
    // Everything is wrong; what was named is mended, and the next one is named.
    let mut data = json!({
        "Width": 9999, "Height": 9999, "MaxDurationLimit": 99999, "CallbackURL": "ftp://a.example/",
        "Output": {
            "Video": {"EncryptKey": "short"},
            "Vod": {"MediaInfo": {"MediaName": "null", "StorageRegion": "null", "ExpireTime": "null"},
                    "ProcedureInfo": {"Procedure": "null"}},
        },
    });
    for (words, pointer, mended) in [
        ("RecordURL is missing", "", json!({"RecordURL": "lesson"})),
        ("Width must in range [1, 2560]", "", json!({"Width": 1})),
        ("Height must in range [1, 2560]", "", json!({"Height": 1})),
        ("MaxDurationLimit must in range [0, 36000]", "", json!({"MaxDurationLimit": 1})),
        ("Muxer must set in OutputVideo", "/Output/Video", json!({"Muxer": "avi"})),
        ("OutputVideoFormat must be one of mp4, hls", "/Output/Video", json!({"Muxer": "hls"})),
        ("The AuthUrl must be set with EncryptKey", "/Output/Video", json!({"AuthUrl": "https://a.example/key"})),
        ("Vod.MediaInfo.MediaName is invalid, please check.", "/Output/Vod/MediaInfo", json!({"MediaName": "a"})),
        (
            "Vod.MediaInfo.StorageRegion is invalid, please check.",
            "/Output/Vod/MediaInfo",
            json!({"StorageRegion": "a"}),
        ),
        ("Vod.MediaInfo.ExpireTime is invalid, please check.", "/Output/Vod/MediaInfo", json!({"ExpireTime": ""})),
        (
            "Vod.ProcedureInfo.Procedure is invalid, please check.",
            "/Output/Vod/ProcedureInfo",
            json!({"Procedure": ""}),
        ),
        (
            "Output.Video.EncryptKey must be 32 hexadecimal digits (16 bytes), as from `openssl rand -hex 16`",
            "/Output/Video",
            json!({"EncryptKey": KEY}),
        ),
        (
            "invalid RecordURL or unsupported RecordURL, please check again: \"lesson\" is not a full URL; write it with \
             its scheme, like https://example.com/page",
            "",
            json!({"RecordURL": "https://a.example/"}),
        ),
        (
            "CallbackURL must be an http or https URL of at most 8192 characters, as in https://example.com/path",
            "",
            json!({"CallbackURL": "https://a.example/"}),
        ),
    ] {
        is_refused(start(&data), words);
        let Value::Object(mended) = mended else { unreachable!() };
        data.pointer_mut(pointer).unwrap().as_object_mut().unwrap().extend(mended);
    }
    assert!(start(&data).is_ok());
}

#[test]
fn wrong_types_are_refused_with_a_sentence() {
    for (fields, says) in [
        (json!({"RecordURL": []}), "RecordURL must be a text"),
        (json!({"RecordURL": true}), "RecordURL must be a text"),
        (json!({"Width": "wide"}), "Width must be a number"),
        (json!({"Width": "NaN"}), "Width must be a number"),
        (json!({"Width": "inf"}), "Width must be a number"),
        (json!({"Width": {}}), "Width must be a text"),
        (json!({"Width": 12.5}), "Width must be a whole number"),
        (json!({"ManualStart": "maybe"}), "ManualStart must be true or false"),
        (json!({"ManualStart": []}), "ManualStart must be true or false"),
        (json!({"StorageType": "s3"}), "StorageType must be one of cfs, cos"),
        (json!({"Output": []}), "Output must be an object"),
        (json!({"Output": {"Video": "hls"}}), "Video must be an object"),
        (json!({"Output": {"Vod": 1}}), "Vod must be an object"),
        (json!({"Output": {"Vod": {"MediaInfo": "x"}}}), "Vod.MediaInfo must be an object"),
        (json!({"Headers": "x"}), "Headers must be an object"),
        (json!({"Output": {"Vod": {"SubAppId": "x"}}}), "Vod.SubAppId must be a number"),
        (
            json!({"Output": {"Vod": {"SubAppId": 9_007_199_254_740_992_u64}}}),
            "Vod.SubAppId must be a whole number from 0 to 9007199254740991",
        ),
        (json!({"LoginState": "x"}), "LoginState must be an object with cookies, headers and origins"),
        (
            json!({"ClientToken": "a b"}),
            "ClientToken is invalid: a token is 1 to 64 visible ASCII characters, such as a UUID",
        ),
        (json!({"Codec": "AV1"}), "Codec must be one of H264, VP8, VP9"),
        (json!({"PauseMode": "stop"}), "PauseMode must be one of Cut, Freeze, Black"),
        (json!({"FrameRate": 61}), "FrameRate is invalid: the frame rate must be a whole number from 1 to 60, not 61"),
        (json!({"UserData": "x".repeat(4095)}), "UserData must be at most 4096 bytes of JSON"),
    ] {
        is_refused(with(fields), says);
    }
    for fields in [
        json!({"RecordURL": "ftp://a.example/"}),
        json!({"RecordURL": "javascript:alert(1)"}),
        json!({"Output": {"Vod": {"MediaInfo": {"ExpireTime": "tomorrow"}}}}),
        json!({"Output": {"Vod": {"MediaInfo": {"SourceContext": "é".repeat(251)}}}}),
        json!({"Output": {"Vod": {"ProcedureInfo": {"SessionContext": "é".repeat(1001)}}}}),
        json!({"Output": {"Video": {"Muxer": "hls", "EncryptKey": KEY, "AuthUrl": "key"}}}),
        json!({"Output": {"Video": {"Muxer": "hls", "EncryptKey": KEY, "AuthUrl": "http://a.example", "EncryptIv": "1"}}}),
        json!({"Output": {"Cos": {"Bucket": "A"}}}),
        json!({"Output": {"Cos": {"Region": "a/b"}}}),
        json!({"Output": {"Cos": {"Domain": "a b"}}}),
        json!({"Output": {"Cos": {"TargetDir": "a/../b"}}}),
        json!({"Output": {"Cos": {"TargetName": "a/b.mp4"}}}),
        json!({"Output": {"Cos": {"TargetName": ".mp4"}}}),
        json!({"PageTitle": "a\nb"}),
    ] {
        assert_eq!(with(fields.clone()).err().map(|refusal| refusal.code), Some(ErrorCode::InvalidParam), "{fields}");
    }
}

#[test]
fn folders_and_names_are_made_tidy() {
    let cos = |muxer: &str, dir: &str, name: &str| {
        let output = json!({"Video": {"Muxer": muxer}, "Cos": {"TargetDir": dir, "TargetName": name}});
        let cos = parameters(json!({"Output": output})).output.cos.unwrap();
        (cos.target_dir.map(|it| it.as_str().to_owned()), cos.target_name.map(|it| it.as_str().to_owned()))
    };
    let some = |dir: &str, name: &str| (Some(dir.to_owned()), Some(name.to_owned()));
    assert_eq!(cos("mp4", "11234/", "lesson.mp4"), some("11234", "lesson"));
    assert_eq!(cos("mp4", "/a//b/./c/", "lesson"), some("a/b/c", "lesson"));
    assert_eq!(cos("mp4", "a", "lesson.m3u8"), some("a", "lesson.m3u8"));
    assert_eq!(cos("hls", "a", "lesson.m3u8"), some("a", "lesson"));
    assert_eq!(cos("hls", "a", "lesson.mp4"), some("a", "lesson.mp4"));
    assert_eq!(cos("mp4", "a", "mp4"), some("a", "mp4"));
    assert_eq!(cos("mp4", "/", ""), (None, None));
}

#[test]
fn the_extensions_are_read() {
    let start = with(json!({
        "ClientToken": "6f1c", "FrameRate": 15, "MaxBitrate": 500, "Codec": "vp9", "PauseMode": "freeze",
        "LoginState": {"cookies": []}, "Headers": {"UserAgent": "Mozilla"}, "PageTitle": "Lesson", "Thumbnail": true,
        "UserData": {"lesson": 42}, "StorageType": "COS",
    }));
    let start = start.ok().unwrap();
    let read = &start.parameters;
    assert_eq!((read.frame_rate.get(), read.max_bitrate.get()), (15, 500));
    assert_eq!((read.codec, read.pause_mode, read.storage_type), (Codec::Vp9, PauseMode::Freeze, StorageType::Cos));
    assert_eq!(read.headers.user_agent.as_ref().unwrap().as_str(), "Mozilla");
    assert_eq!(read.page_title.as_ref().unwrap().as_str(), "Lesson");
    assert!(read.thumbnail);
    assert_eq!(read.user_data, Some(json!({"lesson": 42})));
    assert_eq!(start.login_state.unwrap().expose(), r#"{"cookies":[]}"#);
}

#[test]
fn what_is_not_encrypted_has_no_key() {
    for video in [
        json!({"Muxer": "mp4", "EncryptKey": KEY, "AuthUrl": "https://a.example/"}),
        json!({"Muxer": "mp4", "EncryptKey": "short"}),
        json!({"Muxer": "hls", "AuthUrl": "https://a.example/", "EncryptIv": KEY}),
    ] {
        let start = with(json!({"Output": {"Video": video}})).ok().unwrap();
        assert!(start.encrypt_key.is_none());
        let video = start.parameters.output.video;
        assert!(video.auth_url.is_none() && video.encrypt_iv.is_none());
    }
    let video = json!({"Muxer": "hls", "EncryptKey": KEY, "AuthUrl": "https://a.example/", "EncryptIv": KEY});
    let video = with(json!({"Output": {"Video": video}})).ok().unwrap().parameters.output.video;
    assert_eq!(video.encrypt_iv.unwrap().to_string(), KEY);
}

#[test]
fn the_same_token_names_the_same_task() {
    let named = |fields: Value, scope: &str| with(fields).ok().unwrap().name(scope);
    let first = named(json!({"ClientToken": "a"}), "school/key");
    assert_eq!(named(json!({"ClientToken": "a", "Width": 640}), "school/key"), first);
    assert_ne!(named(json!({"ClientToken": "b"}), "school/key"), first);
    assert_ne!(named(json!({"ClientToken": "a"}), "other/key"), first);
    assert_ne!(named(json!({}), "school/key"), named(json!({}), "school/key"));
    assert_eq!(uuid::Uuid::try_parse(first.as_str()).unwrap().get_version_num(), 4);
}

/// Any JSON of the names that a Start knows, nested at random.
fn any_value() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "RecordURL",
        "Width",
        "MaxDurationLimit",
        "Output",
        "Video",
        "Muxer",
        "EncryptKey",
        "AuthUrl",
        "EncryptIv",
        "Cos",
        "TargetDir",
        "TargetName",
        "Domain",
        "Vod",
        "MediaInfo",
        "ExpireTime",
        "ClassId",
        "SubAppId",
        "Headers",
        "UserAgent",
        "ManualStart",
        "FrameRate",
        "UserData",
        "ClientToken",
        "Status",
        "StartTime",
        "TaskID",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        prop::sample::select(vec!["hls", "mp4", "https://a.example/", "null", "1e999", "-0", KEY])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..8).prop_map(|fields| json!(fields)),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_sent_is_read_or_an_invalid_parameter(
        action in prop::sample::select(vec!["Start", "Stop", "Describe", "List"]),
        data in any_value(),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut known = json!({"Action": action, "Data": data, "TaskID": data});
        if known["Data"].is_object() {
            known["Data"]["RecordURL"] = json!("https://a.example/");
        }
        for body in [known.to_string().into_bytes(), json!({"RecordAction": action, "RecordData": data}).to_string().into_bytes(), bytes] {
            if let Err(refusal) = read(&body).1 {
                prop_assert_eq!(refusal.code, ErrorCode::InvalidParam);
                prop_assert!(!refusal.message.is_empty());
            }
        }
    }
}
