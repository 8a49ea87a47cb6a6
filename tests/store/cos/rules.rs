//! Whether COS takes a request, by its published rules and examples, and by nothing of panorec's or a library's.
//! "Request Signature", <https://www.tencentcloud.com/document/product/436/7778>: steps 1 to 8, the table of
//! characters, the two examples. "Error Codes", <https://www.tencentcloud.com/document/product/436/7730>.
//! It is stricter than COS in one thing: nothing that means something may be left out of the signature.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha1::{Digest, Sha1};

/// A request, as it came.
pub struct Request<'a> {
    pub method: &'a str,
    /// Path and query, encoded.
    pub target: &'a str,
    pub headers: &'a HeaderMap,
}

/// A key that the store knows; one with a token is a temporary one.
pub struct Key {
    pub id: &'static str,
    pub secret: &'static str,
    pub token: Option<&'static str>,
}

/// What the store answers to a request that it does not take.
#[derive(Debug)]
pub struct Refused {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

/// Clocks may differ by so many seconds.
const SKEW: u64 = 900;
const FIELDS: [&str; 7] =
    ["q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list", "q-signature"];
const TOKEN: &str = "x-cos-security-token";
/// A change of these is one of what is asked for, as is one of any header of COS's own.
const MEANING: [&str; 4] = ["host", "content-type", "content-md5", "content-length"];

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// Whether the request is signed with the key, at `now` in seconds since 1970.
pub fn check(request: &Request<'_>, key: &Key, now: u64) -> Result<(), Refused> {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let asked = pairs(query)?;
    let in_header = text(request.headers, "authorization")?;
    let fields: Vec<(String, String)> = match &in_header {
        // Its values are as they are, not encoded.
        Some(signed) => signed.split('&').map(split).collect(),
        None => asked.iter().filter(|(name, _)| name.starts_with("q-")).cloned().collect(),
    };
    if fields.is_empty() {
        return Err(denied("Access Denied."));
    }
    if fields.len() != FIELDS.len() || !fields.iter().zip(FIELDS).all(|((name, _), field)| name == field) {
        return Err(wrong("the signature has not its seven fields, once each and in their order"));
    }
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str());

    if field("q-sign-algorithm") != "sha1" {
        return Err(wrong("q-sign-algorithm must be sha1"));
    }
    let token = match &in_header {
        Some(_) => text(request.headers, TOKEN)?,
        None => asked.iter().find(|(name, _)| name == TOKEN).map(|(_, value)| value.clone()),
    };
    if field("q-ak") != key.id || token.as_deref() != key.token {
        let message = "The Access Key Id you provided does not exist in our records".to_owned();
        return Err(Refused { status: 403, code: "InvalidAccessKeyId", message });
    }
    check_times(field("q-sign-time"), field("q-key-time"), now)?;

    // Step 3: what follows the '?', but for the signature itself.
    let asked = asked.into_iter().filter(|(name, _)| !name.starts_with("q-") && name != TOKEN);
    let parameters: BTreeMap<String, String> =
        asked.map(|(name, value)| (encoded_name(&name), encoded(&value))).collect();
    if list(&parameters) != field("q-url-param-list") {
        return Err(mismatch(&format!("parameters {}, signed {}", list(&parameters), field("q-url-param-list"))));
    }
    // Step 4: the headers that the signature names.
    let mut headers = BTreeMap::new();
    for name in field("q-header-list").split(';').filter(|name| !name.is_empty()) {
        let value = text(request.headers, name)?.ok_or_else(|| mismatch(&format!("no header {name}")))?;
        headers.insert(encoded_name(name), encoded(&value));
    }
    if list(&headers) != field("q-header-list") {
        return Err(mismatch("q-header-list is not small letters in their order"));
    }
    let must = |name: &str| match in_header {
        Some(_) => MEANING.contains(&name) || (name.starts_with("x-cos-") && name != TOKEN),
        None => name == "host" || name.starts_with("x-cos-"),
    };
    if let Some(name) = request.headers.keys().find(|name| must(name.as_str()) && !headers.contains_key(name.as_str()))
    {
        return Err(mismatch(&format!("the header {name} is not signed")));
    }
    // Steps 5 to 7.
    let path = String::from_utf8(decoded(path)?).map_err(|_| wrong("the path is not UTF-8"))?;
    let string = http_string(request.method, &path, &joined(&parameters), &joined(&headers));
    let made = signature(key.secret, field("q-sign-time"), field("q-key-time"), &string);
    if made == field("q-signature") { Ok(()) } else { Err(mismatch(&string)) }
}

/// Both are `start;end`.
fn check_times(sign: &str, key: &str, now: u64) -> Result<(), Refused> {
    let times = |text: &str| -> Option<(u64, u64)> {
        let (start, end) = text.split_once(';')?;
        Some((start.parse().ok()?, end.parse().ok()?)).filter(|(start, end)| start < end)
    };
    let (sign, key) = times(sign).zip(times(key)).ok_or_else(|| wrong("the times are not start;end"))?;
    if now > sign.1.min(key.1) {
        return Err(denied("Request has expired"));
    }
    if now + SKEW < sign.0.max(key.0) {
        let message = "The difference between the request time and the current time is too large.".to_owned();
        return Err(Refused { status: 403, code: "RequestTimeTooSkewed", message });
    }
    Ok(())
}

/// Step 5. The path is not encoded: the examples have it so.
fn http_string(method: &str, path: &str, parameters: &str, headers: &str) -> String {
    format!("{}\n{path}\n{parameters}\n{headers}\n", method.to_lowercase())
}

/// Steps 2, 6 and 7. Keys of the HMAC are texts, the SignKey, too.
fn signature(secret: &str, sign_time: &str, key_time: &str, http_string: &str) -> String {
    let sign_key = hmac(secret, key_time);
    let digest = hex(&Sha1::digest(http_string.as_bytes()));
    hmac(&sign_key, &format!("sha1\n{sign_time}\n{digest}\n"))
}

fn hmac(key: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("any length will do");
    mac.update(message.as_bytes());
    hex(&mac.finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn joined(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn list(map: &BTreeMap<String, String>) -> String {
    map.keys().map(String::as_str).collect::<Vec<_>>().join(";")
}

/// UrlEncode: every byte but letters, digits and `-_.~`, by the table of characters.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn encoded_name(name: &str) -> String {
    encoded(name).to_lowercase()
}

fn decoded(text: &str) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => {
                let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(byte.ok_or_else(|| wrong("a '%' without its two digits"))?);
                rest = &tail[2..];
            }
            // A '+' is a space to some and itself to others.
            b'+' => return Err(wrong("a '+' that is not encoded")),
            byte => bytes.push(byte),
        }
    }
    Ok(bytes)
}

/// A query's names and values, decoded; one without '=' has an empty value.
fn pairs(query: &str) -> Result<Vec<(String, String)>, Refused> {
    let text = |text: String| String::from_utf8(decoded(&text)?).map_err(|_| wrong("the query is not UTF-8"));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(split);
    pairs.map(|(name, value)| Ok((text(name)?, text(value)?))).collect()
}

fn split(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (name.to_owned(), value.to_owned())
}

fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refused> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong("a header that is there twice"));
    }
    Ok(Some(value.to_str().map_err(|_| wrong("a header that is no text"))?.to_owned()))
}

fn wrong(message: &str) -> Refused {
    Refused { status: 400, code: "InvalidArgument", message: message.to_owned() }
}

fn denied(message: &str) -> Refused {
    Refused { status: 403, code: "AccessDenied", message: message.to_owned() }
}

fn mismatch(said: &str) -> Refused {
    let message = format!("The Signature you specified is invalid. ({said})");
    Refused { status: 403, code: "SignatureDoesNotMatch", message }
}

/// The document's own examples. It shows the secret no more, and hides the last digits of its signatures; both
/// are as they stood there before. The third is the test of Tencent's own Go SDK (auth_test.go).
#[cfg(test)]
mod vectors {
    use super::*;

    const DOCUMENT: Key =
        Key { id: "AKIDQjz3ltompVjBni5LitkWHFlFpwkn9U5q", secret: "BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz", token: None };
    const HOST: &str = "examplebucket-1250000000.cos.ap-beijing.myqcloud.com";
    const OBJECT: &str = "/exampleobject(%E8%85%BE%E8%AE%AF%E4%BA%91)";

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    fn upload(signature: &str) -> HeaderMap {
        headers(&[
            ("date", "Thu, 16 May 2019 06:45:51 GMT"),
            ("host", HOST),
            ("content-type", "text/plain"),
            ("content-length", "13"),
            ("content-md5", "mQ/fVh815F3k6TAUm8m0eg=="),
            ("x-cos-acl", "private"),
            ("x-cos-grant-read", "uin=\"100000000011\""),
            (
                "authorization",
                &format!(
                    "q-sign-algorithm=sha1&q-ak={}&q-sign-time=1557989151;1557996351&q-key-time=1557989151;1557996351\
                     &q-header-list=content-length;content-md5;content-type;date;host;x-cos-acl;x-cos-grant-read\
                     &q-url-param-list=&q-signature={signature}",
                    DOCUMENT.id
                ),
            ),
        ])
    }

    #[test]
    fn the_upload_of_the_document_is_taken() {
        let headers = upload("3b8851a11a569213c17ba8fa7dcf2abec6935172");
        let request = Request { method: "PUT", target: OBJECT, headers: &headers };
        check(&request, &DOCUMENT, 1_557_989_200).expect("taken");
        assert_eq!(hmac(DOCUMENT.secret, "1557989151;1557996351"), "eb2519b498b02ac213cb1f3d1a3d27a3b3c9bc5f");
        let code = |now| check(&request, &DOCUMENT, now).expect_err("refused").code;
        assert_eq!(code(1_557_996_352), "AccessDenied");
        assert_eq!(code(1_557_989_151 - SKEW - 1), "RequestTimeTooSkewed");
        let stranger = Key { id: "AKIDother", ..DOCUMENT };
        assert_eq!(check(&request, &stranger, 1_557_989_200).expect_err("refused").code, "InvalidAccessKeyId");
        let temporary = Key { token: Some("a token"), ..DOCUMENT };
        assert_eq!(check(&request, &temporary, 1_557_989_200).expect_err("refused").code, "InvalidAccessKeyId");
    }

    #[test]
    fn the_download_of_the_document_is_taken() {
        let signed = format!(
            "q-sign-algorithm=sha1&q-ak={}&q-sign-time=1557989753;1557996953&q-key-time=1557989753;1557996953\
             &q-header-list=date;host&q-url-param-list=response-cache-control;response-content-type\
             &q-signature=01681b8c9d798a678e43b685a9f1bba0f6c0e012",
            DOCUMENT.id
        );
        let headers = headers(&[("date", "Thu, 16 May 2019 06:55:53 GMT"), ("host", HOST), ("authorization", &signed)]);
        let target =
            format!("{OBJECT}?response-content-type=application%2Foctet-stream&response-cache-control=max-age%3D600");
        let check =
            |method, target: &str| check(&Request { method, target, headers: &headers }, &DOCUMENT, 1_557_989_800);
        check("GET", &target).expect("taken");
        assert_eq!(check("HEAD", &target).expect_err("refused").code, "SignatureDoesNotMatch");
        assert_eq!(check("GET", &format!("{target}&acl")).expect_err("refused").code, "SignatureDoesNotMatch");
        assert_eq!(check("GET", OBJECT).expect_err("refused").code, "SignatureDoesNotMatch");
    }

    #[test]
    fn what_tencents_own_sdk_signs_is_taken() {
        let key = Key { id: "QmFzZTY0IGlzIGEgZ2VuZXJp", secret: "AKIDZfbOA78asKUYBcXFrJD0a1ICvR98JM", token: None };
        let signed = format!(
            "q-sign-algorithm=sha1&q-ak={}&q-sign-time=1480932292;1481012292&q-key-time=1480932292;1481012292\
             &q-header-list=host;x-cos-content-sha1;x-cos-stroage-class&q-url-param-list=\
             &q-signature=ce4ac0ecbcdb30538b3fee0a97cc6389694ce53a",
            key.id
        );
        let headers = headers(&[
            ("host", "testbucket-125000000.cos.ap-guangzhou.myqcloud.com"),
            ("x-cos-content-sha1", "db8ac1c259eb89d4a131b253bacfca5f319d54f2"),
            ("x-cos-stroage-class", "nearline"),
            ("authorization", &signed),
        ]);
        check(&Request { method: "PUT", target: "/testfile2", headers: &headers }, &key, 1_480_932_300).expect("taken");
    }

    #[test]
    fn the_strings_between_are_those_of_the_document() {
        let headers = "date=Thu%2C%2016%20May%202019%2006%3A55%3A53%20GMT&host=examplebucket-1250000000.cos.ap-beijing.myqcloud.com";
        let parameters = "response-cache-control=max-age%3D600&response-content-type=application%2Foctet-stream";
        let string = http_string("GET", "/exampleobject(腾讯云)", parameters, headers);
        assert_eq!(hex(&Sha1::digest(string.as_bytes())), "54ecfe22f59d3514fdc764b87a32d8133ea611e6");
        let table: String = " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}".chars().collect();
        let numbers = [
            "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "2A", "2B", "2C", "2F", "3A", "3B", "3C", "3D",
            "3E", "3F", "40", "5B", "5C", "5D", "5E", "60", "7B", "7C", "7D",
        ];
        assert_eq!(encoded(&table), numbers.map(|number| format!("%{number}")).concat());
        assert_eq!(encoded("aZ09-_.~"), "aZ09-_.~");
    }

    #[test]
    fn what_was_changed_on_the_way_is_not_taken() {
        let good = upload("3b8851a11a569213c17ba8fa7dcf2abec6935172");
        for (name, value) in [
            ("content-type", "text/html"),
            ("content-length", "14"),
            ("host", "other-1250000000.cos.ap-beijing.myqcloud.com"),
            ("x-cos-acl", "public-read"),
            ("x-cos-meta-added", "later"),
        ] {
            let mut headers = good.clone();
            headers.insert(name, value.parse().expect("a value"));
            let refused =
                check(&Request { method: "PUT", target: OBJECT, headers: &headers }, &DOCUMENT, 1_557_989_200);
            assert_eq!(refused.expect_err(name).code, "SignatureDoesNotMatch", "{name}");
        }
        let unsigned = headers(&[("host", HOST)]);
        let refused = check(&Request { method: "GET", target: OBJECT, headers: &unsigned }, &DOCUMENT, 1_557_989_200);
        assert_eq!(refused.expect_err("refused").code, "AccessDenied");
    }
}
