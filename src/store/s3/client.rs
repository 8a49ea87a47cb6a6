//! The SDK's client, set so that every store understands it.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Credentials as AwsKeys, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::S3Error;
use super::cos::{self, CosAuthScheme};
use crate::egress::Resolver;
use crate::session::request::{Credentials, S3Destination, Signature};
use crate::store::keys::Keys;

/// What is taken as the SDK's behaviour: fixed, so that an update of it changes nothing unseen.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}
/// A try may take so long: 8 MiB at some 20 kB/s.
const ATTEMPT: Duration = Duration::from_secs(400);
const CONNECT: Duration = Duration::from_secs(5);
/// What the SDK tries before it is tried from the outside again.
const ATTEMPTS: u32 = 3;

/// A client of the destination's store; `given` keys go before the destination's.
pub(super) async fn client(
    destination: &S3Destination,
    given: Option<Keys>,
    resolver: &Resolver,
) -> Result<Client, S3Error> {
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
    let keys = match (given, &destination.credentials) {
        (Some(keys), _) => Some(keys),
        (None, Credentials::File { path }) => Some(Keys::read(path, "accessKeyId and secretAccessKey")?),
        (None, Credentials::Chain) => None,
    };
    if let Some(Keys { secret_id, secret_key, token }) = keys {
        let keys = AwsKeys::new(secret_id, secret_key, token, None, "panorec");
        loader = loader.credentials_provider(SharedCredentialsProvider::new(keys));
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
