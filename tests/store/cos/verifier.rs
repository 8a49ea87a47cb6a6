//! COS before a real store: takes what COS takes, in its words and with its signature, and says it to the store
//! behind in S3's, signed by SigV4.

use std::time::SystemTime;

use aws_sdk_s3::config::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::rules::{self, Key, Refused, Request};
use crate::proxy::{Proxy, Seen, Verdict, strict};
use crate::server::{ACCESS, SECRET, Server};

/// The store as one of COS, for who has this key.
pub fn before(server: &Server, key: Key) -> Proxy {
    Proxy::before(server.address(), move |seen| judge(seen, &key))
}

/// What COS does with a request.
pub fn judge(seen: &Seen, key: &Key) -> Verdict {
    let verdict = strict(seen);
    if !matches!(verdict, Verdict::Pass) {
        return verdict;
    }
    match check(seen, key) {
        Ok(()) => for_the_store(seen),
        Err(refused) => Verdict::Answer(refused.status, xml(&refused)),
    }
}

fn check(seen: &Seen, key: &Key) -> Result<(), Refused> {
    if seen.header("authorization").starts_with("AWS4-") || seen.target.contains("X-Amz-Signature=") {
        let message = "AWS4-HMAC-SHA256 is not taken here".to_owned();
        return Err(Refused { status: 403, code: "AccessDenied", message });
    }
    let asked = Request { method: seen.method.as_str(), target: &seen.target, headers: &seen.headers };
    rules::check(&asked, key, rules::now())?;
    let digest = seen.header("content-md5");
    if !digest.is_empty() && digest != seen.md5 {
        let message = "The Content-MD5 you specified did not match what we received.".to_owned();
        return Err(Refused { status: 400, code: "BadDigest", message });
    }
    Ok(())
}

fn xml(refused: &Refused) -> String {
    let message = refused.message.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<?xml version='1.0' encoding='utf-8' ?><Error><Code>{}</Code><Message>{message}</Message></Error>",
        refused.code
    )
}

/// The same request to a store that knows S3 alone. Headers of AWS mean nothing to COS and do not go on.
fn for_the_store(seen: &Seen) -> Verdict {
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let kept = |pair: &&str| !pair.starts_with("q-") && !pair.starts_with("x-cos-security-token=");
    let query = query.split('&').filter(|pair| !pair.is_empty()).filter(kept).collect::<Vec<_>>().join("&");
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let mut headers = HeaderMap::new();
    for (name, value) in &seen.headers {
        if let Some((name, value)) = in_s3_words(name, value) {
            headers.append(name, value);
        }
    }
    let mut request = http::Request::builder().method(&seen.method).uri(&target).body(()).expect("a request");
    *request.headers_mut() = headers;
    sign_v4(&mut request);
    Verdict::As(target, request.into_parts().0.headers)
}

fn in_s3_words(name: &HeaderName, value: &HeaderValue) -> Option<(HeaderName, HeaderValue)> {
    let renamed = |name: String, value: &HeaderValue| Some((name.parse().expect("a name"), value.clone()));
    match name.as_str() {
        "authorization" | "x-cos-security-token" => None,
        "x-cos-server-side-encryption" if value == "cos/kms" => {
            renamed("x-amz-server-side-encryption".to_owned(), &HeaderValue::from_static("aws:kms"))
        }
        "x-cos-server-side-encryption-cos-kms-key-id" => {
            renamed("x-amz-server-side-encryption-aws-kms-key-id".to_owned(), value)
        }
        name if name.starts_with("x-amz-") => None,
        word => match word.strip_prefix("x-cos-") {
            Some(word) => renamed(format!("x-amz-{word}"), value),
            None => Some((name.clone(), value.clone())),
        },
    }
}

fn sign_v4(request: &mut http::Request<()>) {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let identity = Credentials::new(ACCESS, SECRET, None, None, "tests").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("s3")
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .expect("all is said")
        .into();
    // What the HTTP client on the way may change is left out.
    let signed = |name: &str| name == "host" || name.starts_with("x-amz-");
    let headers = request.headers().iter().filter(|(name, _)| signed(name.as_str()));
    let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().expect("text")));
    let host = request.headers()["host"].to_str().expect("text");
    let url = format!("http://{host}{}", request.uri());
    let signable = SignableRequest::new(request.method().as_str(), url, headers, SignableBody::UnsignedPayload);
    let (instructions, _) = sign(signable.expect("a request"), &params).expect("signed").into_parts();
    instructions.apply_to_request_http1x(request);
}
