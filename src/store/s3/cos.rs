//! Requests signed, and said, in COS's own way, for stores of Tencent's that take no SigV4.
//! The rules: <https://www.tencentcloud.com/document/product/436/7778>

use std::time::Duration;

use aws_runtime::auth::{HttpSignatureType, SigV4OperationSigningConfig, sigv4};
use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::config::{ConfigBag, Credentials, HttpClient, RuntimeComponents, SharedHttpClient};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::{AuthScheme, AuthSchemeEndpointConfig, AuthSchemeId, Sign};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::identity::{Identity, SharedIdentityResolver};
use aws_smithy_runtime_api::client::runtime_components::GetIdentityResolver;
use futures::FutureExt;
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use http::request::Parts;
use reqsign_core::{Context, SignRequest};
use reqsign_tencent_cos::RequestSigner;

/// Where a temporary key's token is until the request leaves: the SDK shows no value of it in its log.
const TOKEN: &str = "x-amz-security-token";
const COS_TOKEN: &str = "x-cos-security-token";
/// Beside the host and all that COS has words of its own for. What lies between may change other headers.
const SIGNED: [&str; 3] = ["content-length", "content-md5", "content-type"];

/// Takes the place of SigV4, for every operation and for signed URLs. A request is signed anew for each try.
#[derive(Debug, Default)]
pub(super) struct CosAuthScheme {
    signer: CosSigner,
}

#[derive(Debug, Default)]
struct CosSigner;

impl AuthScheme for CosAuthScheme {
    fn scheme_id(&self) -> AuthSchemeId {
        sigv4::SCHEME_ID
    }

    fn identity_resolver(&self, resolvers: &dyn GetIdentityResolver) -> Option<SharedIdentityResolver> {
        resolvers.identity_resolver(self.scheme_id())
    }

    fn signer(&self) -> &dyn Sign {
        &self.signer
    }
}

impl Sign for CosSigner {
    fn sign_http_request(
        &self,
        request: &mut HttpRequest,
        identity: &Identity,
        _: AuthSchemeEndpointConfig<'_>,
        _: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        let keys = identity.data::<Credentials>().ok_or("these credentials are none that COS knows")?;
        let options = config.load::<SigV4OperationSigningConfig>().map(|config| &config.signing_options);
        match options.filter(|options| options.signature_type == HttpSignatureType::HttpRequestQueryParams) {
            None => sign(request, keys),
            Some(options) => presign(request, keys, options.expires_in.ok_or("a signed URL needs its time")?),
        }
    }
}

/// Sends the token by COS's name, which the SDK would show in its log.
pub(super) fn with_token(http: SharedHttpClient) -> SharedHttpClient {
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(WithToken(http.http_connector(settings, components)))
    })
}

#[derive(Debug)]
struct WithToken(SharedHttpConnector);

impl HttpConnector for WithToken {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if let Some(token) = request.headers_mut().remove(TOKEN) {
            request.headers_mut().insert(COS_TOKEN, token);
        }
        self.0.call(request)
    }
}

/// Adds `Authorization` and the token.
fn sign(request: &mut HttpRequest, keys: &Credentials) -> Result<(), BoxError> {
    in_cos_words(request)?;
    let mut parts = parts(request)?;
    for (name, value) in request.headers().iter() {
        if SIGNED.contains(&name) || name.starts_with("x-cos-") {
            parts.headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
    }
    add_signature(&mut parts, keys, None)?;
    let signature = parts.headers.remove(AUTHORIZATION).ok_or("COS's signature is not there")?;
    request.headers_mut().try_insert(AUTHORIZATION, signature)?;
    if let Some(token) = keys.session_token() {
        request.headers_mut().try_insert(TOKEN, token.to_owned())?;
    }
    Ok(())
}

/// Makes the URL one that needs nothing else for so long. Only the host is signed with it.
fn presign(request: &mut HttpRequest, keys: &Credentials, expires: Duration) -> Result<(), BoxError> {
    let mut parts = parts(request)?;
    add_signature(&mut parts, keys, Some(expires))?;
    // The two times have a ';' between, which a URL has not as it is.
    request.set_uri(parts.uri.to_string().replace(';', "%3B"))?;
    Ok(())
}

/// The request with its host alone, by the name that the HTTP client gives it.
fn parts(request: &HttpRequest) -> Result<Parts, BoxError> {
    let built = http::Request::builder().method(request.method()).uri(request.uri()).body(())?;
    let (mut parts, ()) = built.into_parts();
    let host = parts.uri.host().ok_or("a request without a host")?;
    let default = if parts.uri.scheme_str() == Some("https") { 443 } else { 80 };
    let host = match parts.uri.port_u16().filter(|port| *port != default) {
        None => HeaderValue::try_from(host)?,
        Some(port) => HeaderValue::try_from(format!("{host}:{port}"))?,
    };
    parts.headers.insert(HOST, host);
    Ok(parts)
}

fn add_signature(parts: &mut Parts, keys: &Credentials, expires: Option<Duration>) -> Result<(), BoxError> {
    let keys = reqsign_tencent_cos::Credential {
        secret_id: keys.access_key_id().to_owned(),
        secret_key: keys.secret_access_key().to_owned(),
        security_token: keys.session_token().map(str::to_owned),
        ..Default::default()
    };
    let context = Context::new();
    let signer = RequestSigner::new();
    // It asks nobody, so it is there at once.
    let signed = signer.sign_request(&context, parts, Some(&keys), expires).now_or_never();
    signed.ok_or("COS's signature takes time")?.map_err(BoxError::from)
}

/// Headers of S3 by the names that COS has for them; those of SigV4 go.
/// <https://www.tencentcloud.com/document/product/436/7728>,
/// <https://www.tencentcloud.com/document/product/436/7749>
fn in_cos_words(request: &mut HttpRequest) -> Result<(), BoxError> {
    let of_aws = request.headers().iter().filter(|(name, _)| name.starts_with("x-amz-"));
    let of_aws: Vec<(String, String)> = of_aws.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for (name, value) in of_aws {
        request.headers_mut().remove(&name);
        if let Some((name, value)) = in_cos_word(&name, value) {
            request.headers_mut().try_insert(name, value)?;
        }
    }
    Ok(())
}

fn in_cos_word(name: &str, value: String) -> Option<(String, String)> {
    let (word, value) = match (name.strip_prefix("x-amz-")?, value.as_str()) {
        ("date" | "content-sha256" | "security-token" | "user-agent", _) => return None,
        ("server-side-encryption", "aws:kms") => ("server-side-encryption", "cos/kms".to_owned()),
        ("server-side-encryption-aws-kms-key-id", _) => ("server-side-encryption-cos-kms-key-id", value),
        (word, _) => (word, value),
    };
    Some((format!("x-cos-{word}"), value))
}

/// COS's side, written by its rules and proven by its examples.
#[cfg(test)]
#[allow(dead_code)] // the store tests use the rest
#[path = "../../../tests/store/cos/rules.rs"]
mod rules;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_s3::primitives::SdkBody;

    use super::rules::{self, Key, Request};
    use super::*;
    use crate::egress::Resolver;
    use crate::session::request::{Credentials as Given, Link, S3Destination, Signature};
    use crate::store::{NoUploads, S3Store};

    const KEY: Key = Key { id: "AKIDlessons", secret: "the secret", token: Some("the+token/=") };

    fn keys() -> Credentials {
        Credentials::new(KEY.id, KEY.secret, KEY.token.map(str::to_owned), None, "tests")
    }

    fn request(method: &str, uri: &str, headers: &[(&'static str, &'static str)]) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_method(method).unwrap();
        request.set_uri(uri).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, *value);
        }
        request
    }

    /// What COS says to it, as it is sent.
    fn judged(request: &HttpRequest) -> Result<(), String> {
        #[derive(Debug)]
        struct Sent(Arc<Mutex<Option<HttpRequest>>>);
        impl HttpConnector for Sent {
            fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
                *self.0.lock().unwrap() = Some(request);
                HttpConnectorFuture::ready(Err(aws_smithy_runtime_api::client::result::ConnectorError::user(
                    "not sent".into(),
                )))
            }
        }
        let sent = Arc::new(Mutex::new(None));
        drop(WithToken(SharedHttpConnector::new(Sent(sent.clone()))).call(request.try_clone().unwrap()));
        let sent = sent.lock().unwrap().take().unwrap();
        let uri: http::Uri = sent.uri().parse().unwrap();
        let mut headers: http::HeaderMap = sent
            .headers()
            .iter()
            .map(|(name, value)| (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap()))
            .collect();
        headers.insert(HOST, uri.authority().unwrap().as_str().parse().unwrap());
        let target = uri.path_and_query().unwrap().as_str();
        let asked = Request { method: sent.method(), target, headers: &headers };
        rules::check(&asked, &KEY, rules::now()).map_err(|refused| refused.message)
    }

    #[test]
    fn every_kind_of_request_is_taken_by_cos() {
        let host = "http://lessons-1250000000.cos.ap-shanghai.myqcloud.com";
        for (method, target, headers) in [
            ("HEAD", "/", &[][..]),
            ("POST", "/2026/a%20b.mp4?uploads", &[("content-type", "video/mp4"), ("x-amz-meta-lesson", "12 of 30")]),
            (
                "PUT",
                "/a.mp4?x-id=UploadPart&partNumber=1&uploadId=ab%2Fc%2B",
                &[("content-md5", "mQ/fVh815F3k6TAUm8m0eg==")],
            ),
            ("GET", "/?uploads&prefix=2026%2Fmaths%2F%C3%A9%20%2B", &[]),
            ("PUT", "/%E8%85%BE%E8%AE%AF%E4%BA%91%28%29", &[("content-length", "0"), ("x-amz-tagging", "a=b%20c&d=")]),
        ] {
            let mut request = request(method, &format!("{host}{target}"), headers);
            sign(&mut request, &keys()).unwrap();
            judged(&request).unwrap_or_else(|said| panic!("{method} {target}: {said}; {request:?}"));
            let names: Vec<&str> = request.headers().iter().map(|(name, _)| name).collect();
            assert!(names.iter().all(|name| !name.starts_with("x-amz-") || *name == TOKEN), "{names:?}");
        }
        let mut at_a_port = request("GET", "http://127.0.0.1:7070/lessons/a.mp4", &[]);
        sign(&mut at_a_port, &keys()).unwrap();
        judged(&at_a_port).unwrap();
        at_a_port.headers_mut().insert("x-cos-meta-lesson", "smuggled");
        judged(&at_a_port).unwrap_err();
    }

    #[test]
    fn no_secret_is_shown() {
        let mut request = request("GET", "http://127.0.0.1:7070/lessons/a.mp4", &[]);
        sign(&mut request, &keys()).unwrap();
        let shown = format!("{request:?} {:?}", keys());
        assert!(!shown.contains("the secret") && !shown.contains("the+token"), "{shown}");
        assert!(!shown.contains("q-signature"), "{shown}");
    }

    #[test]
    fn what_s3_calls_otherwise_is_said_as_cos_does() {
        let cos = |name: &str, value: &str| in_cos_word(name, value.to_owned());
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(cos("x-amz-storage-class", "STANDARD_IA"), pair("x-cos-storage-class", "STANDARD_IA"));
        assert_eq!(cos("x-amz-meta-lesson", "12"), pair("x-cos-meta-lesson", "12"));
        let encryption = "x-cos-server-side-encryption";
        assert_eq!(cos("x-amz-server-side-encryption", "AES256"), pair(encryption, "AES256"));
        assert_eq!(cos("x-amz-server-side-encryption", "aws:kms"), pair(encryption, "cos/kms"));
        assert_eq!(
            cos("x-amz-server-side-encryption-aws-kms-key-id", "k"),
            pair("x-cos-server-side-encryption-cos-kms-key-id", "k")
        );
        for name in ["x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent"] {
            assert_eq!(cos(name, "v"), None);
        }
    }

    #[test]
    fn a_signed_url_of_a_virtual_host_is_taken_by_cos() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let text = serde_json::json!({ "secretId": KEY.id, "secretKey": KEY.secret, "token": KEY.token });
        std::fs::write(&path, text.to_string()).unwrap();
        let (bucket, region) = ("lessons-1250000000".parse().unwrap(), "ap-shanghai".parse().unwrap());
        let destination = S3Destination {
            signature: Signature::Cos,
            link: Link::Presigned { seconds: 60 },
            ..S3Destination::cos(bucket, region, Given::File { path }).unwrap()
        };
        let store = S3Store::new(&destination, Box::new(NoUploads), &Resolver::default()).unwrap();
        let url = store.runtime.block_on(store.url("2026/a b+é.mp4")).unwrap().unwrap();
        let start = "https://lessons-1250000000.cos.ap-shanghai.myqcloud.com/2026/a%20b%2B%C3%A9.mp4?";
        assert!(url.starts_with(start), "{url}");
        assert!(!url.contains(';') && !url.contains("X-Amz"), "{url}");
        let uri: http::Uri = url.parse().unwrap();
        let headers = [(HOST, uri.host().unwrap().parse().unwrap())].into_iter().collect();
        let check = |method, now| {
            let target = uri.path_and_query().unwrap().as_str();
            rules::check(&Request { method, target, headers: &headers }, &KEY, now)
        };
        check("GET", rules::now()).unwrap_or_else(|refused| panic!("{}: {url}", refused.message));
        assert_eq!(check("PUT", rules::now()).unwrap_err().code, "SignatureDoesNotMatch");
        assert_eq!(check("GET", rules::now() + 62).unwrap_err().message, "Request has expired");
    }
}
