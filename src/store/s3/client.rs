//! The SDK's client, set so that every store understands it.

use std::path::Path;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Credentials as Keys, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde::Deserialize;

use super::S3Error;
use super::cos::{self, CosAuthScheme};
use crate::egress::Resolver;
use crate::session::request::{Credentials, S3Destination, Signature};

/// What is taken as the SDK's behaviour: fixed, so that an update of it changes nothing unseen.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}
/// A try may take so long: 8 MiB at some 20 kB/s.
const ATTEMPT: Duration = Duration::from_secs(400);
const CONNECT: Duration = Duration::from_secs(5);
/// What the SDK tries before it is tried from the outside again.
const ATTEMPTS: u32 = 3;
/// A credentials file is no longer.
const LONGEST_FILE: u64 = 64 << 10;

pub(super) async fn client(destination: &S3Destination, resolver: &Resolver) -> Result<Client, S3Error> {
    if let Some(endpoint) = &destination.endpoint {
        resolver.judge_literal(endpoint)?;
    }
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_with_resolver(resolver.clone());
    let http = match destination.signature {
        Signature::SigV4 => http,
        Signature::Cos => cos::with_token(http),
    };
    let mut loader = aws_config::defaults(behavior()).http_client(http);
    if let Some(region) = destination.region() {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Credentials::File { path } = &destination.credentials {
        loader = loader.credentials_provider(SharedCredentialsProvider::new(keys(path)?));
    }
    let shared = loader.load().await;
    if shared.region().is_none() {
        return Err(S3Error::NoRegion);
    }
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(destination.is_path_style())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build())
        // 200 kB/s is slow and no failure; an attempt ends anyway.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(endpoint) = &destination.endpoint {
        config = config.endpoint_url(endpoint.as_str());
    }
    if destination.signature == Signature::Cos {
        config = config.push_auth_scheme(CosAuthScheme::default());
    }
    Ok(Client::from_conf(config.build()))
}

/// What a credentials file says. Other names are what Tencent's tools call them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(alias = "secretId")]
    access_key_id: String,
    #[serde(alias = "secretKey")]
    secret_access_key: String,
    #[serde(default, alias = "token")]
    session_token: Option<String>,
}

fn keys(path: &Path) -> Result<Keys, S3Error> {
    let wrong = |why: String| S3Error::CredentialsFile { path: path.to_owned(), why };
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let text =
        std::io::read_to_string(std::io::Read::take(file, LONGEST_FILE)).map_err(|error| wrong(error.to_string()))?;
    // The parser's own words would show what is in it.
    let file: File = serde_json::from_str(&text).map_err(|error| {
        wrong(format!("line {}: it must be JSON with accessKeyId and secretAccessKey", error.line()))
    })?;
    let token = file.session_token.filter(|token| !token.is_empty());
    Ok(Keys::new(file.access_key_id, file.secret_access_key, token, None, "panorec"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_file_is_read_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("panorec-s3.json");
        std::fs::write(&path, r#"{"accessKeyId":"id","secretAccessKey":"secret","sessionToken":""}"#).unwrap();
        let read = keys(&path).unwrap();
        assert_eq!((read.access_key_id(), read.secret_access_key(), read.session_token()), ("id", "secret", None));
        std::fs::write(&path, r#"{"secretId":"id","secretKey":"secret","token":"t"}"#).unwrap();
        assert_eq!(keys(&path).unwrap().session_token(), Some("t"));
        std::fs::write(&path, r#"{"accessKeyId":"AKIDSECRET","secretAccessKey":7}"#).unwrap();
        let said = keys(&path).unwrap_err().to_string();
        assert!(said.contains("secretAccessKey") && !said.contains("AKIDSECRET"), "{said}");
        assert!(keys(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
