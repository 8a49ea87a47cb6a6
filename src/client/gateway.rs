//! The gateway as it is reached: requests are signed, sent, and tried again.

use std::error::Error as _;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use http::HeaderValue;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use url::Url;

use super::answer::{self, Answer, Outcome, Unanswered};
use super::args::GatewayArgs;
use super::files;
use super::request::{Again, Request};
use crate::complaint::Complaint;
use crate::gateway::auth::{Algorithm, Outgoing, sign};
use crate::gateway::{Prefix, Secret};

/// Where actions are posted, and what is signed of the path whatever stands before it.
const RECORD: &str = "/record";
const JSON: &str = "application/json";
const SECRET: &str = "PANOREC_KEY_SECRET";
const CONNECT: Duration = Duration::from_secs(5);
/// A try may take so long: a Start answers when its recording will not be lost.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Between tries. Never less than a second, for x-date knows no less, and a gateway may refuse a signature that it has
/// seen before.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// The longest answer that is read, in bytes: a List of some hundred thousand tasks.
const LONGEST_ANSWER: usize = 64 << 20;

/// A gateway, and who asks it.
pub(super) struct Gateway {
    http: reqwest::Client,
    place: Url,
    key: Option<Key>,
    deadline: Duration,
}

struct Key {
    id: String,
    secret: Secret,
    algorithm: Algorithm,
}

impl Gateway {
    /// # Errors
    /// Arguments that do not go together, or a secret that cannot be read.
    pub fn new(args: &GatewayArgs) -> Result<Gateway, Complaint> {
        // What is signed is for nobody else.
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ATTEMPT)
            .user_agent(concat!("panorec/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Complaint::internal(format!("cannot speak HTTP: {}", told(&error))))?;
        let place = place(&args.url, &args.path_prefix)?;
        Ok(Gateway { http, place, key: key(args)?, deadline: args.deadline })
    }

    /// Asks until it is answered, refused or too late.
    pub async fn ask(&self, request: &Request) -> Result<Answer, Unanswered> {
        let until = Instant::now() + self.deadline;
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(PAUSES.0)
            .with_max_delay(PAUSES.1)
            .with_jitter()
            .without_max_times()
            .build();
        let mut last = "no answer in time".to_owned();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let outcome = tokio::time::timeout(left, self.try_once(request)).await;
            let late = |_| match request.again {
                Again::Always => Ok(Outcome::NotNow(last.clone())),
                Again::Unfollowed => Err(Unanswered::Lost { said: last.clone() }),
            };
            let said = match outcome.unwrap_or_else(late)? {
                Outcome::Answered(answer) => return Ok(answer),
                Outcome::Failed(error) => return Err(error),
                Outcome::NotNow(said) => said,
            };
            let pause = pauses.next().unwrap_or(PAUSES.1);
            if until.saturating_duration_since(Instant::now()) <= pause {
                return Err(Unanswered::Late { place: self.place.to_string(), seconds: self.deadline.as_secs(), said });
            }
            if said != last {
                eprintln!("panorec: {said}; it is tried again");
                last = said;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// One try. An error where the request must not be sent again.
    async fn try_once(&self, request: &Request) -> Result<Outcome, Unanswered> {
        let mut post = self.http.post(self.place.clone()).header("accept", JSON).header("content-type", JSON);
        if let Some(Key { id, secret, algorithm }) = &self.key {
            let body = request.body.as_bytes();
            let outgoing =
                Outgoing { method: "POST", path: RECORD, query: None, accept: JSON, content_type: JSON, body };
            let signed = sign(&outgoing, id, secret, *algorithm, Timestamp::now());
            let signed = signed.map_err(|error| Unanswered::Clock(error.to_string()))?;
            post = post.header("x-date", signed.x_date).header("authorization", signed.authorization);
            if let Some(md5) = signed.content_md5 {
                post = post.header("content-md5", md5);
            }
        }
        let lost = |error: &reqwest::Error| match request.again {
            Again::Unfollowed if !error.is_connect() => Err(Unanswered::Lost { said: told(error) }),
            _ => Ok(Outcome::NotNow(told(error))),
        };
        let answer = match post.body(request.body.clone()).send().await {
            Ok(answer) => answer,
            Err(error) => return lost(&error),
        };
        let status = answer.status();
        let text = match text(answer).await {
            Ok(text) => text,
            Err(error) => return lost(&error),
        };
        match answer::read(self.place.as_str(), status, text) {
            // Whoever stands before the gateway may have lost its answer.
            Outcome::NotNow(said) if status.is_server_error() && request.again == Again::Unfollowed => {
                Err(Unanswered::Lost { said })
            }
            outcome => Ok(outcome),
        }
    }
}

/// Where to post to.
fn place(url: &Url, prefix: &Prefix) -> Result<Url, Complaint> {
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
        return Err(Complaint::usage(format!("--url takes a base URL such as https://gateway.example, not {url}")));
    }
    let mut place = url.clone();
    let record = prefix.place(RECORD).unwrap_or_else(|| RECORD.to_owned());
    place.set_path(&format!("{}{record}", url.path().trim_end_matches('/')));
    Ok(place)
}

fn key(args: &GatewayArgs) -> Result<Option<Key>, Complaint> {
    let from_file = |path: &std::path::PathBuf| files::text(path, "the secret");
    let from_environment = || match std::env::var(SECRET) {
        Ok(secret) => Ok(Some(secret)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(Complaint::usage(format!("{SECRET} cannot be used: {error}"))),
    };
    let secret = match &args.key_file {
        Some(path) => Some(from_file(path)?),
        None => from_environment()?,
    };
    let secret = secret.map(|secret| secret.trim().to_owned()).filter(|secret| !secret.is_empty());
    let id = args.key_id.as_ref().filter(|id| !id.is_empty());
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) if HeaderValue::from_str(id).is_ok() => {
            Ok(Some(Key { id: id.clone(), secret: Secret::new(secret), algorithm: args.algorithm }))
        }
        (Some(_), Some(_)) => Err(Complaint::usage("--key-id must be visible ASCII characters")),
        (Some(_), None) => {
            Err(Complaint::usage(format!("--key-id needs its secret: give --key-file FILE or set {SECRET}")))
        }
        (None, Some(_)) => {
            Err(Complaint::usage("a secret needs the id of its key: give --key-id ID or set PANOREC_KEY_ID"))
        }
    }
}

async fn text(mut answer: reqwest::Response) -> Result<String, reqwest::Error> {
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        text.extend_from_slice(&chunk);
        if text.len() > LONGEST_ANSWER {
            // Whatever that is, it is no answer of a gateway.
            break;
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
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
    let words = cause.map_or_else(|| "the request failed".to_owned(), ToString::to_string);
    if error.is_connect() { format!("it cannot be reached ({words})") } else { format!("no answer came ({words})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_base_prefix_and_record() {
        for (url, prefix, expected) in [
            ("http://127.0.0.1:8080", "", "http://127.0.0.1:8080/record"),
            ("http://127.0.0.1:8080/", "release", "http://127.0.0.1:8080/release/record"),
            ("https://gateway.example/release/", "", "https://gateway.example/release/record"),
            ("https://gateway.example/a", "/b", "https://gateway.example/a/b/record"),
        ] {
            let place = place(&url.parse().unwrap(), &prefix.parse().unwrap()).unwrap();
            assert_eq!(place.as_str(), expected);
        }
        for url in ["file:///tmp", "https://gateway.example/?a=1", "https://gateway.example/#a"] {
            assert!(place(&url.parse().unwrap(), &Prefix::default()).is_err(), "{url}");
        }
    }
}
