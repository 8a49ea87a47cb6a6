//! Telling whoever asked for the recording that it is done: one POST, tried a few times.

use std::error::Error as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::callback_secret::CallbackSecret;
use super::publish::Publication;
use crate::egress::{EgressError, Resolver};
use crate::session::describe::Described;
use crate::session::event::PublisherEvent;
use crate::session::fold::{Folded, Phase};
use crate::session::folder::FolderError;
use crate::session::request::Callback;
use crate::session::status::{Items, Report};

/// The time at which the body was signed, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "x-panorec-timestamp";
/// `sha256=` and the HMAC-SHA256, in hexadecimal, of the timestamp, a '.' and the body.
pub const SIGNATURE_HEADER: &str = "x-panorec-signature";

/// Which tries are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// Those of earlier runs too.
    GoOn,
    /// None that were made before: somebody asked for it once more.
    Anew,
}

/// The body of the POST.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    described: Described,
    #[serde(rename = "UserData", skip_serializing_if = "Option::is_none")]
    user_data: Option<&'a Value>,
}

impl Publication<'_> {
    /// Posts the result where the delivery says, if it does, and journals each try: from `CallbackStarted` to
    /// `CallbackFailed`.
    ///
    /// # Errors
    /// Only those of the journal: a newer run has taken over, or it cannot be written. A callback that
    /// nobody takes is no failure of the recording.
    pub async fn call_back(&self, tries: Tries) -> Result<(), FolderError> {
        let Some(callback) = &self.delivery.callback else { return Ok(()) };
        let folded = self.folded()?;
        let before = folded.published.callback.clone().filter(|_| tries == Tries::GoOn);
        let (tried, last) = match before {
            Some(tried) if tried.error.is_none() => return Ok(()),
            Some(tried) => (tried.attempt, tried.error),
            None => (0, None),
        };
        self.run.append(PublisherEvent::CallbackStarted)?;
        let mut report = Report::of(self.delivery.task_id.clone(), &self.folded()?, Items::All);
        report.date(self.delivery);
        let mut described = Described::from(&report);
        described.status = Phase::Callback;
        let told = Told { described, user_data: callback.user_data.as_ref() };
        self.post_until_taken(callback, &told, tried, last.unwrap_or_default()).await
    }

    /// The state of the session; without the recorder's half where that cannot be read.
    pub fn folded(&self) -> Result<Folded, FolderError> {
        self.session.folded().or_else(|error| {
            tracing::warn!(%error, "the recorder's half is left out");
            self.session.folded_without_recorder()
        })
    }

    async fn post_until_taken(
        &self,
        callback: &Callback,
        told: &Told<'_>,
        tried: u32,
        mut last: String,
    ) -> Result<(), FolderError> {
        for attempt in tried + 1..=callback.attempts {
            if attempt > 1 {
                tokio::time::sleep(Duration::from_millis(callback.pause_ms.into())).await;
            }
            // Counts before it is made: whoever goes on after a crash makes no try too many.
            self.run.append(PublisherEvent::CallbackTrying { attempt })?;
            let error = post(callback, self.resolver, told).await.err();
            self.run.append(PublisherEvent::CallbackTried { attempt, error: error.clone() })?;
            match error {
                None => return Ok(()),
                Some(error) => {
                    tracing::warn!(attempt, error, "the callback was not taken");
                    last = error;
                }
            }
        }
        self.run.append(PublisherEvent::CallbackFailed { message: last }).map(drop)
    }
}

/// One try. The error is a code and words, as clients of the Action API know them.
async fn post(callback: &Callback, resolver: &Resolver, told: &Told<'_>) -> Result<(), String> {
    let bad = |error: &dyn std::fmt::Display| format!("ERR_BAD_REQUEST:{error}");
    let body = serde_json::to_vec(told).map_err(|error| bad(&error))?;
    // Read anew each time: it may be mended meanwhile.
    let secret = callback.secret.as_deref().map(CallbackSecret::read).transpose().map_err(|error| bad(&error))?;
    resolver.judge_literal(&callback.url).map_err(|error| refused(&error))?;
    let timeout = Duration::from_millis(callback.timeout_ms.into());
    let client = reqwest::Client::builder()
        // Another place than the one that was named is not told anything.
        .redirect(reqwest::redirect::Policy::none())
        // A proxy would connect to what was never judged.
        .no_proxy()
        .dns_resolver(std::sync::Arc::new(resolver.clone()))
        .timeout(timeout);
    let mut request = client
        .build()
        .map_err(|error| said(&error, timeout))?
        .post(callback.url.clone())
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::USER_AGENT, concat!("panorec/", env!("CARGO_PKG_VERSION")));
    if let Some(secret) = &secret {
        request = request.headers(secret.headers.clone());
        if let Some(signature) = secret.sign(Timestamp::now().as_second(), &body) {
            request = request.headers(signature);
        }
    }
    let answer = request.body(body).send().await.map_err(|error| said(&error, timeout))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let code = if status.is_server_error() { "ERR_BAD_RESPONSE" } else { "ERR_BAD_REQUEST" };
    Err(format!("{code}:Request failed with status code {}", status.as_u16()))
}

fn refused(error: &EgressError) -> String {
    let code = match error {
        EgressError::Refused { .. } => "ERR_ADDRESS_REFUSED",
        EgressError::Lookup { .. } | EgressError::NoAddress { .. } => "ENOTFOUND",
    };
    format!("{code}:{error}")
}

fn said(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        return format!("ECONNABORTED:timeout of {}ms exceeded", timeout.as_millis());
    }
    // The innermost cause says it; the address, which may hold a secret, is in the outermost.
    let mut cause = error.source();
    while let Some(deeper) = cause {
        if let Some(egress) = deeper.downcast_ref::<EgressError>() {
            return refused(egress);
        }
        match deeper.source() {
            None => break,
            deeper => cause = deeper,
        }
    }
    let cause = cause.map_or_else(|| "the request failed".to_owned(), ToString::to_string);
    let code = if cause.contains("refused") { "ECONNREFUSED" } else { "ERR_NETWORK" };
    format!("{code}:{cause}")
}
