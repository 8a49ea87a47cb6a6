//! VOD's API: signed requests, one after the other.

use std::error::Error as _;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::redirect::Policy;
use serde::Deserialize;
use url::Url;

use super::api::Action;
use super::fault::{Fault, VodError};
use super::tc3::Signed;
use crate::egress::Resolver;
use crate::session::request::VodDestination;
use crate::store::keys::Keys;
use crate::store::persist::{Unmet, persist};
use crate::store::shortened;

const SERVICE: &str = "vod";
const VERSION: &str = "2018-07-17";
const CONTENT_TYPE: &str = "application/json; charset=utf-8";
const CONNECT: Duration = Duration::from_secs(5);
/// A try may take so long; the actions do little.
const ATTEMPT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;

pub(super) struct Client {
    http: reqwest::Client,
    endpoint: Url,
    /// The header Host, which is signed.
    host: String,
    region: String,
    keys: Keys,
}

impl Client {
    /// # Errors
    /// Credentials that cannot be read; an address that is none.
    pub(super) fn new(destination: &VodDestination, resolver: &Resolver) -> Result<Client, VodError> {
        let keys = read_keys(&destination.credentials_file)?;
        let endpoint = destination.endpoint().map_err(|error| VodError::Endpoint(error.to_string()))?;
        let host = host_of(&endpoint).ok_or_else(|| VodError::Endpoint(endpoint.to_string()))?;
        resolver.judge_literal(&endpoint).map_err(|error| VodError::Endpoint(error.to_string()))?;
        // A signed request is for nobody else, and a proxy would connect to what was never judged.
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(std::sync::Arc::new(resolver.clone()))
            .connect_timeout(CONNECT)
            .timeout(ATTEMPT)
            .user_agent(concat!("panorec/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| VodError::Client(told(&error)))?;
        Ok(Client { http, endpoint, host, region: destination.region.to_string(), keys })
    }

    /// The account's own keys.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Asks until it is answered, refused for good or too late: transient failures are outlasted for `patience`.
    pub(super) async fn ask<A: Action>(&self, action: &A, patience: Duration) -> Result<A::Answer, VodError> {
        let why = "it cannot be put in words";
        let body = serde_json::to_vec(action).map_err(|_| VodError::Answer { action: A::NAME, why })?;
        let asked = persist(Instant::now() + patience, async || self.try_once::<A>(&body).await).await;
        asked.map_err(|unmet| match unmet {
            Unmet::Failed(Fault::Permanent(error)) => error,
            Unmet::Failed(Fault::Transient(said)) | Unmet::Late { said } => {
                VodError::Unreachable { host: self.host.clone(), seconds: patience.as_secs(), said }
            }
        })
    }

    async fn try_once<A: Action>(&self, body: &[u8]) -> Result<A::Answer, Fault> {
        let at = Timestamp::now();
        let headers = [("content-type", CONTENT_TYPE), ("host", &self.host), ("x-tc-action", A::NAME)];
        let signed = Signed { service: SERVICE, headers: &headers, body, at };
        let mut request = self
            .http
            .post(self.endpoint.clone())
            .header("Authorization", signed.authorization(&self.keys.secret_id, &self.keys.secret_key))
            .header("Content-Type", CONTENT_TYPE)
            .header("Host", &self.host)
            .header("X-TC-Action", A::NAME)
            .header("X-TC-Timestamp", at.as_second())
            .header("X-TC-Version", VERSION)
            .header("X-TC-Region", &self.region);
        if let Some(token) = &self.keys.token {
            request = request.header("X-TC-Token", token);
        }
        let answer = request.body(body.to_vec()).send().await.map_err(|error| Fault::Transient(told(&error)))?;
        let status = answer.status();
        let text = read(answer).await?;
        let Ok(Envelope { response }) = serde_json::from_slice(&text) else {
            if !status.is_success() {
                return Err(Fault::of_status(A::NAME, status.as_u16()));
            }
            return Err(VodError::Answer { action: A::NAME, why: "it is not VOD's; is the address right?" }.into());
        };
        if let Some(error) = response.get("Error") {
            let refusal = Refusal::deserialize(error).unwrap_or_default();
            let request = response.get("RequestId").and_then(|id| id.as_str()).unwrap_or("unknown");
            let message = shortened(refusal.message.trim_end_matches('.'));
            let said = format!("{}: {message}, request {request}", refusal.code);
            return Err(Fault::of(A::NAME, status.as_u16(), &refusal.code, &said));
        }
        // The parser's own words could show a key.
        let why = "fields are missing, or are of another kind";
        A::Answer::deserialize(response).map_err(|_| VodError::Answer { action: A::NAME, why }.into())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    response: serde_json::Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    code: String,
    #[serde(default)]
    message: String,
}

fn read_keys(path: &Path) -> Result<Keys, VodError> {
    Ok(Keys::read(path, "secretId and secretKey")?)
}

/// As the client sends it: with the port where that is not the scheme's own.
fn host_of(endpoint: &Url) -> Option<String> {
    if !matches!(endpoint.scheme(), "http" | "https") {
        return None;
    }
    let host = endpoint.host_str()?;
    Some(endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| Fault::Transient(told(&error)))? {
        if text.len() + chunk.len() > LONGEST_ANSWER {
            return Err(Fault::Transient("an answer without an end".to_owned()));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

/// The innermost cause says it.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "the request failed".to_owned(), |cause| shortened(&cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_the_client_sends() {
        for (endpoint, host) in [
            ("https://vod.tencentcloudapi.com", Some("vod.tencentcloudapi.com")),
            ("https://vod.tencentcloudapi.com:443/", Some("vod.tencentcloudapi.com")),
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("http://[::1]:8080", Some("[::1]:8080")),
            ("file:///tmp", None),
        ] {
            assert_eq!(host_of(&endpoint.parse().unwrap()).as_deref(), host);
        }
    }
}
