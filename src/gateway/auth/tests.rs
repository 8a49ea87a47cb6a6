use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::canonical::{Fields, path_and_parameters};
use super::*;
use crate::gateway::{Prefix, Secret};

const ID: &str = "APIDLIA6tMfqsinsadaaaaaaaapHLkQ1z0kO5n5P";
const SECRET: &str = "Dc44ACV2Da3Gm9JVaaaaaaaaumYRI4CZfVG8Qiuv";
const DATE: &str = "Thu, 11 Mar 2021 08:29:58 GMT";
const BODY: &str = r#"{"Action":"Describe","Data":{"TaskID":"d1806f20-25b8-4c30-8176-c0832bf84e02"}}"#;
const MD5_HEX: &str = "Mzg1NjI1ZmY5NzVhN2NkZGExODg5YmI4YzMzOWVjNmE=";
const MD5_RAW: &str = "OFYl/5dafN2hiJu4wznsag==";
/// The signature of [`BODY`] with its MD5 in the hexadecimal reading, by HMAC-SHA1; of the headers x-date alone.
const SIGNATURE: &str = "VmndFRnTVRYXm6of9/4t1REtB0Q=";

fn now() -> Timestamp {
    "2021-03-11T08:29:58Z".parse().unwrap()
}

fn gate(replays: Option<Replays>) -> Gate {
    let keys = serde_json::json!({"keys": [{"id": ID, "secret": SECRET, "namespace": "school", "startsPerMinute": 1}]});
    Gate::new(Keys::parse(keys.to_string().as_bytes()).unwrap(), replays)
}

/// A request with the headers of the vectors.
#[derive(Clone)]
struct Case {
    path: &'static str,
    query: Option<&'static str>,
    headers: HeaderMap,
    body: &'static str,
    now: Timestamp,
}

impl Case {
    fn new(body: &'static str) -> Case {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("source", "apigw test"),
            ("x-date", DATE),
            ("accept", "application/json"),
            ("content-type", "application/json"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Case { path: "/record", query: None, headers, body, now: now() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Case {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    fn without(mut self, name: &str) -> Case {
        self.headers.remove(name);
        self
    }

    fn authorized(self, algorithm: &str, headers: &str, signature: &str) -> Case {
        let value = format!(r#"hmac id="{ID}", algorithm="{algorithm}", headers="{headers}", signature="{signature}""#);
        self.with("authorization", &value)
    }

    /// Signs `text` as it stands.
    fn signing(self, algorithm: Algorithm, headers: &str, text: &str) -> Case {
        let signature = STANDARD.encode(algorithm.mac(&Secret::new(SECRET.to_owned()), text.as_bytes()));
        self.authorized(algorithm.as_str(), headers, &signature)
    }

    fn admitted_by(&self, gate: &Gate) -> Result<Caller, Denied> {
        let request = Incoming {
            method: "POST",
            path: self.path,
            query: self.query,
            headers: &self.headers,
            body: self.body.as_bytes(),
        };
        gate.admit(&request, &"/release".parse::<Prefix>().unwrap(), self.now)
    }

    fn answer(&self) -> Result<Caller, Denied> {
        self.admitted_by(&gate(None))
    }

    #[track_caller]
    fn is_let_in(&self) {
        assert_eq!(self.answer().map(|caller| caller.namespace), Ok(Some("school".to_owned())));
    }

    #[track_caller]
    fn is_denied(&self, message: &str) {
        let denied = self.answer().err().unwrap();
        assert_eq!((denied.status(), denied.to_string().as_str()), (StatusCode::UNAUTHORIZED, message));
    }
}

fn described() -> Case {
    Case::new(BODY).authorized("hmac-sha1", "x-date", SIGNATURE)
}

#[test]
fn the_form_vector_holds() {
    let form = |query, body| Case {
        path: "/",
        query,
        ..Case::new(body).with("content-type", "application/x-www-form-urlencoded").authorized(
            "hmac-sha1",
            "source x-date",
            "jLN0+Qva7WIzoEvvT1A5/+naheA=",
        )
    };
    form(Some("p=test"), "").is_let_in();
    form(None, "p=test").is_let_in();
    form(Some("p=test"), "p=other").is_let_in();
    form(Some("p=other"), "p=test").is_denied("HMAC signature does not match.");
}

#[test]
fn the_vectors_of_a_json_body_hold_with_and_without_the_header() {
    for (algorithm, md5, signature) in [
        ("hmac-sha1", MD5_HEX, SIGNATURE),
        ("hmac-sha256", MD5_HEX, "nlWaKuw1DRXwIMo2rnL7HI8JaIM//nk97RQ6FJ/G5Us="),
        ("hmac-sha1", MD5_RAW, "yns7jYpCKfsGWk1ab3KcOMOS7lg="),
        ("hmac-sha256", MD5_RAW, "OtcAwjD07PsU/OkZ07wfI19+tPKtD83vI3OHrNxX6C8="),
    ] {
        let case = Case::new(BODY).authorized(algorithm, "x-date", signature);
        case.is_let_in();
        case.clone().with("content-md5", md5).is_let_in();
        Case { path: "/release/record", ..case.clone() }.is_let_in();
        // The other reading is of the same body, but it is not what was signed.
        let other = if md5 == MD5_HEX { MD5_RAW } else { MD5_HEX };
        case.clone().with("content-md5", other).is_denied("HMAC signature does not match.");
        Case { body: "{}", ..case }.is_denied("HMAC signature does not match.");
    }
}

#[test]
fn the_string_to_sign_is_that_of_the_document() {
    let text =
        format!("source: apigw test\nx-date: {DATE}\nPOST\napplication/json\napplication/json\n{MD5_HEX}\n/record");
    for algorithm in Algorithm::ALL {
        Case::new(BODY).signing(algorithm, "source x-date", &text).is_let_in();
        // Upper case in the list is as good; the order is what was listed.
        Case::new(BODY).signing(algorithm, "Source X-Date", &text).is_let_in();
        Case::new(BODY).signing(algorithm, "x-date source", &text).is_denied("HMAC signature does not match.");
    }
    let turned = format!("x-date: {DATE}\nsource: apigw test\nPOST\napplication/json\napplication/json\n\n/record");
    // A client may leave out the MD5 altogether.
    Case::new(BODY).signing(Algorithm::Sha512, "x-date source", &turned).is_let_in();
    let bare = format!("x-date: {DATE}\nPOST\n\n\n\n/record?a&b=1 2");
    let no_types = Case { query: Some("b=1%202&a="), ..Case::new("").without("accept").without("content-type") };
    no_types.signing(Algorithm::Sha384, "x-date", &bare).is_let_in();
}

#[test]
fn a_content_md5_must_be_that_of_the_body() {
    let wrong = "AAAAAAAAAAAAAAAAAAAAAA==";
    let text = format!("x-date: {DATE}\nPOST\napplication/json\napplication/json\n{wrong}\n/record");
    let case = Case::new(BODY).with("content-md5", wrong).signing(Algorithm::Sha1, "x-date", &text);
    case.is_denied("HMAC signature does not match.");
}

#[test]
fn parameters_are_sorted_decoded_and_count_once() {
    for (query, form, expected) in [
        (None, None, "/record"),
        (Some(""), Some(""), "/record"),
        (Some("p=test"), None, "/record?p=test"),
        (Some("b=2&a=1"), Some("c=3&a=9"), "/record?a=1&b=2&c=3"),
        (Some("k=1&k=2"), None, "/record?k=1"),
        (Some("z=&y"), None, "/record?y&z"),
        (Some("q=a%20b+c%26d%3D%C3%A9"), None, "/record?q=a b c&d=é"),
    ] {
        assert_eq!(path_and_parameters("/record", query, form.map(str::as_bytes)), expected);
    }
}

#[test]
fn every_failure_has_its_words() {
    let authorization = |value: &str| Case::new(BODY).with("authorization", value);
    let missing = "HMAC id or signature missing.";
    Case::new(BODY).is_denied(missing);
    authorization("hmac").is_denied(missing);
    authorization(r#"hmac algorithm="hmac-sha1", headers="x-date", signature="AA==""#).is_denied(missing);
    authorization(&format!(r#"hmac id="{ID}", algorithm="hmac-sha1", headers="x-date""#)).is_denied(missing);
    authorization(r#"hmac id="", algorithm="hmac-sha1", headers="x-date", signature="AA==""#).is_denied(missing);

    let format = "HMAC authorization format error.";
    authorization("Bearer abc").is_denied(format);
    authorization(&format!("hmac id={ID}, signature=AA==")).is_denied(format);
    authorization(&format!(r#"hmac id="{ID}", headers="x-date", signature="AA==""#)).is_denied(format);
    authorization(&format!(r#"hmac id="{ID}", algorithm="hmac-sha1", signature="AA==""#)).is_denied(format);
    authorization(&format!(r#"hmac id="{ID}", id="b", algorithm="hmac-sha1", headers="x-date", signature="AA==""#))
        .is_denied(format);

    authorization(r#"hmac id="nobody", algorithm="hmac-sha1", headers="x-date", signature="AA==""#)
        .is_denied("HMAC apikey is invalid for API.");

    let no_date = "HMAC signature cannot be verified, a valid x-date header is required for HMAC Authentication.";
    described().without("x-date").is_denied(no_date);
    described().with("x-date", "yesterday").is_denied(no_date);
    described().with("x-date", "Thu, 11 Mar 2021 08:29:58 +0000").is_denied(no_date);
    described().with("x-date", "2021-03-11T08:29:58Z").is_denied(no_date);
    Case::new(BODY).authorized("hmac-sha1", "source", SIGNATURE).is_denied(no_date);
    Case::new(BODY).authorized("hmac-sha1", "", SIGNATURE).is_denied(no_date);

    described()
        .with("x-date", "Thu, 11 Mar 2021 07:29:58 GMT")
        .is_denied("HMAC signature cannot be verified, the x-date header is out of date for HMAC Authentication.");
    Case::new(BODY)
        .authorized("hmac-md5", "source x-date", SIGNATURE)
        .is_denied("HMAC algorithm hmac-md5 not supported.");
    Case::new(BODY)
        .without("source")
        .authorized("hmac-sha1", "source x-date", SIGNATURE)
        .is_denied("HMAC signature cannot be verified, a valid source header is required.");
    Case::new(BODY)
        .authorized("hmac-sha1", "source x-date", "jLN0+Qva7WIzoEvvT1A5/+naheA=")
        .is_denied("HMAC signature does not match.");
    Case::new(BODY).authorized("hmac-sha1", "source x-date", "?").is_denied("HMAC signature does not match.");
    described().with("accept", "*/*").is_denied("HMAC signature does not match.");
    assert_eq!(Denied::Limit.to_string(), "API rate limit exceeded.");
    assert_eq!(Denied::Limit.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[test]
fn a_clock_may_be_a_quarter_of_an_hour_off() {
    for (seconds, is_in) in [(-901, false), (-900, true), (0, true), (900, true), (901, false)] {
        let case = Case { now: now() + SignedDuration::from_secs(seconds), ..described() };
        match is_in {
            true => case.is_let_in(),
            false => assert_eq!(case.answer(), Err(Denied::OutOfDate), "{seconds}"),
        }
    }
}

#[test]
fn a_signature_may_be_used_twice_unless_replays_are_refused() {
    let strict = gate(Some(Replays::default()));
    assert!(described().admitted_by(&strict).is_ok());
    assert_eq!(described().admitted_by(&strict), Err(Denied::Replayed));
    let lax = gate(None);
    assert!(described().admitted_by(&lax).is_ok());
    assert!(described().admitted_by(&lax).is_ok());
}

#[test]
fn keys_are_exchanged_and_starts_counted() {
    let gate = gate(None);
    let caller = described().admitted_by(&gate).unwrap();
    assert_eq!(gate.count_start(&caller, now()), Ok(()));
    assert_eq!(gate.count_start(&caller, now()), Err(Denied::Limit));
    assert_eq!(gate.count_start(&Caller::default(), now()), Ok(()));
    gate.set_keys(Keys::parse(br#"{"keys":[]}"#).unwrap());
    assert_eq!(described().admitted_by(&gate), Err(Denied::UnknownKey));
}

#[test]
fn what_a_client_signs_is_let_in() {
    let secret = Secret::new(SECRET.to_owned());
    for (algorithm, content_type, body) in [
        (Algorithm::Sha1, "application/json", BODY),
        (Algorithm::Sha256, "application/json", ""),
        (Algorithm::Sha384, "application/x-www-form-urlencoded", "b=1&a=%20"),
        (Algorithm::Sha512, "", BODY),
    ] {
        let query = Some("z=1&a=2");
        let accept = "application/json";
        let request = Outgoing { method: "POST", path: "/record", query, accept, content_type, body: body.as_bytes() };
        let signed = sign(&request, ID, &secret, algorithm, now()).unwrap();
        assert_eq!(signed.x_date, DATE);
        let mut case = Case::new(body).without("source").with("content-type", content_type);
        case = case.with("authorization", &signed.authorization);
        if let Some(md5) = &signed.content_md5 {
            case = case.with("content-md5", md5);
        }
        Case { path: "/release/record", query, ..case }.is_let_in();
    }
}

#[test]
fn a_field_without_a_value_keeps_its_line() {
    let fields = Fields { headers: vec![], method: "GET", accept: b"", content_type: b"", content_md5: b"", path: "/" };
    assert_eq!(fields.to_sign(), b"GET\n\n\n\n/");
}

#[test]
fn keys_that_cannot_be_are_refused_and_never_shown() {
    for (text, says) in [
        ("SECRET", "line 1: the keys must be JSON"),
        (r#"{"keys":[{"id":"a","secret":"SECRET","more":1}]}"#, "line 1"),
        (r#"{"keys":[{"id":"a b","secret":"SECRET"}]}"#, "key 1: its id"),
        (r#"{"keys":[{"id":"","secret":"SECRET"}]}"#, "key 1: its id"),
        (r#"{"keys":[{"id":"a","secret":""}]}"#, "key 1: its secret"),
        (r#"{"keys":[{"id":"a","secret":"SECRET","namespace":"A"}]}"#, "\"A\" is no namespace"),
        (r#"{"keys":[{"id":"a","secret":"SECRET"},{"id":"a","secret":"SECRET"}]}"#, "key 2: a key before it"),
    ] {
        let said = Keys::parse(text.as_bytes()).err().unwrap().to_string();
        assert!(said.contains(says) && !said.contains("SECRET"), "{said}");
    }
    let all = r#"{"keys":[{"id":"a","secret":"s","namespace":"n","maxConcurrent":8,"startsPerMinute":60},
                          {"id":"b","secret":"t"}]}"#;
    assert_eq!(Keys::parse(all.as_bytes()).unwrap().count(), 2);
}
