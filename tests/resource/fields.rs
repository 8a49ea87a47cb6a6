//! A Recording with every field wrong, one by one. Shared with the tests on a real API server.

use serde_json::{Value, json};

pub const PAGE: &str = "https://school.example/lesson/42";

/// A field, what is wrong in it, and what the API server must say.
pub struct Wrong {
    /// Within spec, `output.video.crf`.
    pub path: &'static str,
    pub value: Value,
    /// The rest of the spec that makes sense with it.
    pub beside: Value,
    /// Parts of the message: the field, and what is wrong.
    pub says: &'static [&'static str],
}

/// Sets a field of an object by its path; objects on the way are made.
pub fn set(object: &mut Value, path: &str, value: Value) {
    let mut at = object;
    for name in path.split('.') {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[name];
    }
    *at = value;
}

impl Wrong {
    /// A whole spec with this field wrong and all others right.
    pub fn spec(&self) -> Value {
        let mut spec = self.beside.clone();
        if spec.get("url").is_none() {
            set(&mut spec, "url", json!(PAGE));
        }
        set(&mut spec, self.path, self.value.clone());
        spec
    }
}

/// What the API server refuses when a Recording is made.
pub fn refused() -> Vec<Wrong> {
    let mut all = Vec::new();
    let mut add = |path, value, says| all.push(Wrong { path, value, beside: json!({}), says });
    let text = |length: usize| json!("x".repeat(length));

    add("url", json!(""), &["spec.url", "should be at least 1 chars long"][..]);
    add("url", json!("ftp://school.example/"), &["spec.url", "must be a full URL"]);
    add("url", json!("school.example"), &["spec.url", "must be a full URL"]);
    add("url", json!("https://"), &["spec.url", "must be a full URL"]);
    add("url", json!(format!("https://{}", "x".repeat(8192))), &["spec.url", "8192"]);
    add("url", json!(7), &["spec.url", "must be of type string"]);
    for (path, low, high) in [
        ("width", 15, 2561),
        ("height", 15, 2561),
        ("frameRate", 0, 61),
        ("startTimeoutSeconds", 0, 259201),
        ("maxDurationSeconds", 0, 259201),
        ("output.segmentSeconds", 0, 601),
        ("output.video.maxBitrateKbps", 49, 200001),
        ("output.video.keyFrameIntervalSeconds", 0, 31),
        ("output.audio.bitrateKbps", 31, 513),
        ("output.video.crf", -1, 64),
    ] {
        add(path, json!(low), &["should be greater than or equal to"]);
        add(path, json!(high), &["should be less than or equal to"]);
        add(path, json!("many"), &["must be of type integer"]);
    }
    for path in ["intent.refresh", "intent.revision", "ttlSecondsAfterFinished"] {
        add(path, json!(-1), &["should be greater than or equal to 0"]);
    }
    for path in [
        "start",
        "pauseMode",
        "intent.state",
        "intermediate.type",
        "output.format",
        "output.video.codec",
        "output.video.preset",
        "output.audio.codec",
    ] {
        add(path, json!("Other"), &["Unsupported value: \"Other\""]);
    }
    for (field, value) in [("s3", json!({ "bucket": "b" })), ("keep", json!(true))] {
        let path = ["intermediate.", field].concat().leak();
        add(path, value, &["spec.intermediate", "are for the type Bucket"]);
    }
    add("intent.at", json!("yesterday"), &["spec.intent.at", "date-time"]);
    add("page.userAgent", text(1025), &["spec.page.userAgent", "1024"]);
    add("page.title", text(1025), &["spec.page.title", "1024"]);
    add("page.loginSecretRef", json!({}), &["spec.page.loginSecretRef.name", "Required value"]);
    add("page.loginSecretRef.name", json!("Not A Name"), &["spec.page.loginSecretRef.name", "name of a Secret"]);
    add("callback", json!({}), &["spec.callback.url", "Required value"]);
    add("callback.url", json!("mailto:me@school.example"), &["spec.callback.url", "http:// or https://"]);
    add("output.directory", text(513), &["spec.output.directory", "512"]);
    add("output.name", text(201), &["spec.output.name", "200"]);
    add("output.name", json!("a/b"), &["spec.output.name", "must be a file name"]);
    add("output.name", json!(".hidden"), &["spec.output.name", "must be a file name"]);
    add("output.destination", json!({}), &["spec.output.destination", "exactly one of s3, vod and volume"]);
    add(
        "output.destination",
        json!({ "volume": {}, "s3": { "bucket": "b" } }),
        &["spec.output.destination", "exactly one of s3, vod and volume"],
    );
    add("output.destination.s3", json!({}), &["spec.output.destination.s3.bucket", "Required value"]);
    for (path, value) in
        [("attempts", 0), ("attempts", 101), ("timeoutSeconds", 0), ("timeoutSeconds", 61), ("pauseSeconds", 301)]
    {
        all.push(Wrong {
            path: ["callback.", path].concat().leak(),
            value: json!(value),
            beside: json!({ "callback": { "url": "https://school.example/done" } }),
            says: &["spec.callback.", "should be"],
        });
    }
    for path in ["region", "endpoint", "publicDomain"] {
        let path = ["output.destination.s3.", path].concat().leak();
        all.push(Wrong {
            path,
            value: text(4096),
            beside: json!({ "output": { "destination": { "s3": { "bucket": "b" } } } }),
            says: &["may not be more than"],
        });
    }
    let bucket = json!({ "output": { "destination": { "s3": { "bucket": "b" } } } });
    for (path, value, says) in [
        ("presignSeconds", json!(0), &["presignSeconds", "should be greater than or equal to 1"][..]),
        ("presignSeconds", json!(604_801), &["presignSeconds", "should be less than or equal to 604800"]),
        ("deadlineSeconds", json!(0), &["deadlineSeconds", "should be greater than or equal to 1"]),
        ("addressing", json!("Other"), &["Unsupported value: \"Other\""]),
        ("storageClass", json!("a b"), &["storageClass", "a storage class consists of"]),
    ] {
        let path: &str = ["output.destination.s3.", path].concat().leak();
        all.push(Wrong { path, value, beside: bucket.clone(), says });
    }
    for path in ["mediaName", "expireTime", "storageRegion", "sourceContext", "procedure", "sessionContext"] {
        let path: &str = ["output.destination.vod.", path].concat().leak();
        all.push(Wrong { path, value: text(4096), beside: json!({}), says: &["may not be more than"] });
    }
    for path in ["subAppId", "classId"] {
        let path: &str = ["output.destination.vod.", path].concat().leak();
        all.push(Wrong { path, value: json!(-1), beside: json!({}), says: &["should be greater than or equal to 0"] });
    }

    let key = "00112233445566778899aabbccddeeff";
    let hls = json!({ "output": { "format": "HLS", "encryption": { "keyURL": "https://keys.example/1" } } });
    let mut encryption = |value: Value, beside: &Value, says| {
        all.push(Wrong { path: "output.encryption", value, beside: beside.clone(), says });
    };
    let url = "https://keys.example/1";
    encryption(json!({ "keyURL": url, "key": key }), &json!({}), &["spec.output.encryption", "for HLS only"]);
    encryption(json!({ "key": key }), &hls, &["spec.output.encryption.keyURL", "Required value"]);
    encryption(json!({ "keyURL": "", "key": key }), &hls, &["spec.output.encryption.keyURL", "at least 1 chars"]);
    encryption(json!({ "keyURL": url }), &hls, &["spec.output.encryption", "exactly one of key and keySecretRef"]);
    encryption(
        json!({ "keyURL": url, "key": key, "keySecretRef": { "name": "k" } }),
        &hls,
        &["spec.output.encryption", "exactly one of key and keySecretRef"],
    );
    encryption(
        json!({ "keyURL": url, "key": "0011" }),
        &hls,
        &["spec.output.encryption.key", "must be 32 hexadecimal digits"],
    );
    encryption(
        json!({ "keyURL": url, "key": key, "iv": "no digits" }),
        &hls,
        &["spec.output.encryption.iv", "must be 32 hexadecimal digits"],
    );
    all
}

/// What the API server refuses of a Recording that exists: made with `beside`, changed to this.
pub fn fixed() -> Vec<Wrong> {
    let cannot = &["cannot be changed once the Recording exists"][..];
    let stopped = json!({ "intent": { "state": "Stopped" } });
    let said = json!({ "intent": { "refresh": 2, "revision": 3 } });
    let called = json!({ "callback": { "url": "https://school.example/done" } });
    let row = |path, value, beside: &Value, says| Wrong { path, value, beside: beside.clone(), says };
    let none = json!({});
    vec![
        row("url", json!("https://school.example/other"), &none, cannot),
        row("width", json!(640), &none, cannot),
        row("height", json!(480), &none, cannot),
        row("frameRate", json!(25), &none, cannot),
        row("start", json!("Manual"), &none, cannot),
        row("startTimeoutSeconds", json!(601), &none, cannot),
        row("maxDurationSeconds", json!(60), &none, cannot),
        row("pauseMode", json!("Black"), &none, cannot),
        row("page.title", json!("Another"), &none, cannot),
        row("intermediate.type", json!("Bucket"), &none, cannot),
        row("output.format", json!("HLS"), &none, cannot),
        row("output.name", json!("other"), &none, cannot),
        row("output.video.crf", json!(30), &none, cannot),
        row("output.destination.volume", json!({}), &none, cannot),
        row("callback.url", json!("https://school.example/other"), &none, cannot),
        row("callback.url", json!("https://school.example/other"), &called, cannot),
        row("callback", Value::Null, &called, cannot),
        row("intent.state", json!("Recording"), &stopped, &["cannot leave Stopped"]),
        row("intent.state", json!("Paused"), &stopped, &["cannot leave Stopped"]),
        row("intent.refresh", json!(1), &said, &["spec.intent.refresh cannot be lowered"]),
        row("intent.revision", json!(2), &said, &["spec.intent.revision cannot be lowered"]),
    ]
}

/// What may be changed of a Recording that exists: made with `beside`, changed to this.
pub fn allowed() -> Vec<Wrong> {
    let row = |path, value, beside| Wrong { path, value, beside, says: &[] };
    vec![
        row("intent.state", json!("Paused"), json!({})),
        row("intent.state", json!("Recording"), json!({ "intent": { "state": "Paused" } })),
        row("intent.state", json!("Stopped"), json!({ "callback": { "url": "https://school.example/done" } })),
        row("intent.refresh", json!(1), json!({ "intent": { "state": "Stopped" } })),
        row("intent.revision", json!(1), json!({})),
        row("intent.at", json!("2026-01-02T03:04:05Z"), json!({})),
        row("ttlSecondsAfterFinished", json!(60), json!({})),
        row("ttlSecondsAfterFinished", json!(5), json!({ "ttlSecondsAfterFinished": 60 })),
    ]
}
