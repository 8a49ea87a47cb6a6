//! What is believed of a request: its signature is computed again from what came over the wire, by nothing of
//! panorec's, and each field has its kind.

use std::collections::HashMap;

use axum::http::{HeaderMap, Method};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::api::{REGION, SECRET_ID, SECRET_KEY, SUB_APP_ID};

/// So far a request's time may be off, in seconds.
const SKEW: i64 = 300;

pub type Refusal = (&'static str, String);

/// What a request that is right asks for.
pub struct Request {
    pub action: String,
    pub body: Value,
    /// That of temporary credentials.
    pub token: String,
}

/// Computes the signature anew.
pub fn signed(method: &Method, target: &str, headers: &HeaderMap, body: &[u8]) -> Result<Request, Refusal> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bad = |why: &str| ("AuthFailure.InvalidAuthorization", why.to_owned());
    if (method, target) != (&Method::POST, "/") {
        return Err(("InvalidRequest", format!("{method} {target}")));
    }
    let given = header("authorization").strip_prefix("TC3-HMAC-SHA256 ").ok_or_else(|| bad("the algorithm"))?;
    let given: HashMap<&str, &str> = given.split(", ").filter_map(|field| field.split_once('=')).collect();
    let field = |name: &str| given.get(name).copied().ok_or_else(|| bad(name));
    let credential: Vec<&str> = field("Credential")?.split('/').collect();
    let [id, date, "vod", "tc3_request"] = credential[..] else { return Err(bad("the scope")) };
    if id != SECRET_ID {
        return Err(("AuthFailure.SecretIdNotFound", "The SecretId is not found.".to_owned()));
    }
    let seconds: i64 = header("x-tc-timestamp").parse().map_err(|_| bad("X-TC-Timestamp"))?;
    let at = Timestamp::from_second(seconds).map_err(|_| bad("X-TC-Timestamp"))?;
    if (Timestamp::now().as_second() - seconds).abs() > SKEW || at.to_string().get(..10) != Some(date) {
        return Err(("AuthFailure.SignatureExpire", "The signature has expired.".to_owned()));
    }
    let names: Vec<&str> = field("SignedHeaders")?.split(';').collect();
    if !names.is_sorted() || !["content-type", "host"].iter().all(|name| names.contains(name)) {
        return Err(bad("the signed headers"));
    }
    let mut lines = vec!["POST".to_owned(), "/".to_owned(), String::new()];
    for name in &names {
        let value = headers.get(*name).ok_or_else(|| bad(name))?;
        lines.push(format!("{name}:{}", value.to_str().map_err(|_| bad(name))?.trim().to_lowercase()));
    }
    lines.extend([String::new(), names.join(";"), hex(&Sha256::digest(body))]);
    let request = hex(&Sha256::digest(lines.join("\n")));
    let text = ["TC3-HMAC-SHA256", &seconds.to_string(), &format!("{date}/vod/tc3_request"), &request].join("\n");
    let dated = sign(format!("TC3{SECRET_KEY}").as_bytes(), date);
    let signature = hex(&sign(&sign(&sign(&dated, "vod"), "tc3_request"), &text));
    if field("Signature")? != signature {
        let why = "The provided credentials could not be validated.";
        return Err(("AuthFailure.SignatureFailure", why.to_owned()));
    }
    for (name, wanted) in
        [("x-tc-version", "2018-07-17"), ("x-tc-region", REGION), ("content-type", "application/json; charset=utf-8")]
    {
        if header(name) != wanted {
            return Err(("InvalidParameter", format!("{name} is {:?}", header(name))));
        }
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| ("InvalidParameter", error.to_string()))?;
    let action = header("x-tc-action");
    fields(action, &body)?;
    Ok(Request { action: action.to_owned(), body, token: header("x-tc-token").to_owned() })
}

pub fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Clone, Copy)]
enum Kind {
    /// Of so many characters at most.
    Text(usize),
    Number,
    /// `2027-10-01T10:00:00Z`
    Time,
    Texts,
}

type Fields = &'static [(&'static str, Kind)];

/// Refuses what the action does not take.
fn fields(action: &str, body: &Value) -> Result<(), Refusal> {
    use Kind::{Number, Text, Texts, Time};
    let (needed, others): (Fields, Fields) = match action {
        "ApplyUpload" => (
            &[("MediaType", Text(8)), ("SubAppId", Number)],
            &[
                ("MediaName", Text(255)),
                ("CoverType", Text(8)),
                ("Procedure", Text(255)),
                ("ExpireTime", Time),
                ("StorageRegion", Text(64)),
                ("ClassId", Number),
                ("SourceContext", Text(250)),
                ("SessionContext", Text(1000)),
            ],
        ),
        "CommitUpload" => (&[("VodSessionKey", Text(4096)), ("SubAppId", Number)], &[]),
        "DescribeMediaInfos" => (&[("FileIds", Texts), ("SubAppId", Number)], &[("Filters", Texts)]),
        _ => return Err(("InvalidAction", action.to_owned())),
    };
    let body = body.as_object().ok_or(("InvalidParameter", "no object".to_owned()))?;
    for (name, value) in body {
        let kind = needed.iter().chain(others).find(|(known, _)| known == name);
        let kind = kind.map(|(_, kind)| *kind).ok_or_else(|| ("UnknownParameter", name.clone()))?;
        let fits = match kind {
            Text(most) => value.as_str().is_some_and(|text| (1..=most).contains(&text.chars().count())),
            Number => value.is_u64(),
            Time => value.as_str().is_some_and(|text| text.len() == 20 && text.parse::<Timestamp>().is_ok()),
            Texts => value.as_array().is_some_and(|texts| !texts.is_empty() && texts.iter().all(Value::is_string)),
        };
        if !fits {
            return Err(("InvalidParameterValue", format!("{name} is {value}")));
        }
    }
    match needed.iter().find(|(name, _)| !body.contains_key(*name)) {
        Some((name, _)) => Err(("MissingParameter", (*name).to_owned())),
        None if body["SubAppId"] != SUB_APP_ID => {
            Err(("InvalidParameterValue.SubAppId", "no such application".to_owned()))
        }
        None => Ok(()),
    }
}
