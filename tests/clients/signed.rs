//! What clients sign holds before the gateway's own verifier, and nothing else does.

use axum::http::{HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use md5::{Digest, Md5};
use serde_json::json;

use panorec::gateway::Prefix;
use panorec::gateway::auth::{Denied, Gate, Incoming, Keys};

use crate::listener::{Listener, Reply, Sent};
use crate::programs::{Client, Said, panorec};
use crate::{KEY_ID, SECRET, says};

const BODIES: [&str; 3] = [
    r#"{"Action":"Describe","Data":{"TaskID":"d1806f20-25b8-4c30-8176-c0832bf84e02"}}"#,
    r#"{"Action": "Start", "Data": {"RecordURL": "https://school.example/?q=%20+&p=a'b", "PageTitle": "课堂 \"é\" $HOME `x` \\"}}"#,
    "{\n  \"Action\": \"List\"\n}",
];

/// A gate with this key, and what it says of a request.
fn judged(id: &str, secret: &str, sent: &Sent, now: Timestamp) -> Result<Option<String>, Denied> {
    let keys = json!({"keys": [{"id": id, "secret": secret}]}).to_string();
    let gate = Gate::new(Keys::parse(keys.as_bytes()).unwrap(), None);
    let request = Incoming {
        method: sent.head.method.as_str(),
        path: sent.head.uri.path(),
        query: sent.head.uri.query(),
        headers: &sent.head.headers,
        body: &sent.body,
    };
    gate.admit(&request, &"/release".parse::<Prefix>().unwrap(), now).map(|caller| caller.key_id)
}

fn answer() -> Reply {
    Reply::Json(200, json!({"TaskID": "7a0313e2-9a42-4f5b-a3b0-1d5d0a1a2b3c", "RequestID": "r"}))
}

/// It was signed with the tests' key, whatever a proxy does to Content-MD5; and only it was.
#[track_caller]
fn holds(mut sent: Sent, whose: &str) {
    let now = Timestamp::now();
    let judge = |sent: &Sent| judged(KEY_ID, SECRET, sent, now);
    assert_eq!(judge(&sent), Ok(Some(KEY_ID.to_owned())), "{whose}");
    assert_eq!(judged(KEY_ID, "another", &sent, now), Err(Denied::Mismatch), "{whose}");
    assert_eq!(judged("another", SECRET, &sent, now), Err(Denied::UnknownKey), "{whose}");
    let later = now + SignedDuration::from_mins(16);
    assert_eq!(judged(KEY_ID, SECRET, &sent, later), Err(Denied::OutOfDate), "{whose}");

    let digest = Md5::digest(&sent.body);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sent.head.headers["content-md5"], STANDARD.encode(hex), "{whose}");
    // The other reading is of the same body, but it is not what was signed.
    let raw = HeaderValue::from_str(&STANDARD.encode(digest)).unwrap();
    let hex = sent.head.headers.insert("content-md5", raw).unwrap();
    assert_eq!(judge(&sent), Err(Denied::Mismatch), "{whose}");
    sent.head.headers.remove("content-md5");
    assert_eq!(judge(&sent), Ok(Some(KEY_ID.to_owned())), "{whose}: without the header");

    for md5 in [None, Some(hex)] {
        if let Some(md5) = md5 {
            sent.head.headers.insert("content-md5", md5);
        }
        let other = Sent { head: sent.head.clone(), body: [&sent.body[..], b" "].concat().into() };
        assert_eq!(judge(&other), Err(Denied::Mismatch), "{whose}: another body");
    }
    sent.head.uri = "/release/other".parse().unwrap();
    assert_eq!(judge(&sent), Err(Denied::Mismatch), "{whose}: another path");
}

#[test]
fn what_each_client_signs_holds() {
    let listener = Listener::new(std::iter::repeat_with(answer));
    for client in Client::ALL {
        for (base, path) in [("", "/record"), ("/release", "/release/record"), ("/release/", "/release/record")] {
            for body in BODIES {
                let said = Said::from(client.send(&format!("{}{base}", listener.url), SECRET, body));
                assert_eq!(said.code, Some(0), "{client:?}: {}{}", said.out, said.err);
                let printed: serde_json::Value = serde_json::from_str(&said.out).unwrap();
                assert_eq!(printed["RequestID"], "r", "{client:?}");
                let sent = listener.next();
                assert_eq!((&sent.head.method, sent.head.uri.path()), (&Method::POST, path), "{client:?}");
                assert_eq!(std::str::from_utf8(&sent.body), Ok(body), "{client:?}");
                holds(sent, &format!("{client:?}, {body}"));
            }
        }
    }
    assert_eq!(listener.count(), 0);
}

#[test]
fn each_client_fails_where_it_is_not_let_in() {
    let listener = Listener::new(std::iter::repeat_with(|| {
        Reply::Json(401, json!({"message": "HMAC signature does not match."}))
    }));
    for client in Client::ALL {
        let said = Said::from(client.send(&listener.url, "wrong", BODIES[0]));
        assert!(said.code.is_some_and(|code| code != 0), "{client:?}");
        says(&format!("{}{}", said.out, said.err), "HMAC signature does not match.");
        assert_eq!(judged(KEY_ID, SECRET, &listener.next(), Timestamp::now()), Err(Denied::Mismatch), "{client:?}");
    }
}

#[test]
fn panorec_signs_with_every_algorithm_and_keeps_the_secret_to_itself() {
    let listener = Listener::new(std::iter::repeat_with(answer));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    for algorithm in ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"] {
        let args = ["pause", "7a0313e2", "--path-prefix", "release", "--key-id", KEY_ID, "--algorithm", algorithm];
        let said = Said::from(panorec(&listener.url, &args).arg("--key-file").arg(&file).output().unwrap());
        assert_eq!(said.code, Some(0), "{}", said.err);
        let sent = listener.next();
        assert_eq!(sent.json(), json!({"Action": "Pause", "Data": {"TaskID": "7a0313e2"}}));
        says(sent.head.headers["authorization"].to_str().unwrap(), algorithm);
        holds(sent, algorithm);
    }
    // Without a key nothing is signed.
    let said = Said::from(panorec(&listener.url, &["list"]).output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(listener.next().head.headers.get("authorization"), None);
    let halves: [(&[&str], _); 2] = [(&["--key-id", KEY_ID, "list"], ""), (&["list"], SECRET)];
    for (args, secret) in halves {
        let said = Said::from(panorec(&listener.url, args).env("PANOREC_KEY_SECRET", secret).output().unwrap());
        assert_eq!(said.code, Some(2), "{}", said.err);
        assert!(!said.err.contains(SECRET));
    }
    assert_eq!(listener.count(), 0);
}
