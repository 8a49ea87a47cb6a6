//! Telling whoever asked for the recording that it is done: one POST, tried a few times.

use std::error::Error as _;
use std::time::Duration;

use url::Url;

use crate::session::describe::Described;
use crate::session::event::PublisherEvent;
use crate::session::folder::{FolderError, PublisherRun};

/// The figures of the Action API: a try, their number, and the pause between them.
const TRY: Duration = Duration::from_millis(2000);
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Posts `described` to `to`, and journals each try, from `CallbackTried` to `CallbackFailed`.
/// `tried` tries have been made by earlier runs, the last of which ended with `last_error`.
///
/// # Errors
/// Only those of the journal: a newer run has taken over, or it cannot be written. A callback that
/// nobody takes is no failure of the recording.
pub async fn call_back(
    run: &PublisherRun,
    to: &Url,
    described: &Described,
    tried: u32,
    last_error: Option<String>,
) -> Result<(), FolderError> {
    let mut last = last_error.unwrap_or_default();
    for attempt in tried + 1..=TRIES {
        if attempt > 1 {
            tokio::time::sleep(PAUSE).await;
        }
        run.still_newest()?;
        let error = post(to, described).await.err();
        run.append(PublisherEvent::CallbackTried { attempt, error: error.clone() })?;
        match error {
            None => return Ok(()),
            Some(error) => {
                tracing::warn!(attempt, error, "the callback was not taken");
                last = error;
            }
        }
    }
    run.append(PublisherEvent::CallbackFailed { message: last }).map(drop)
}

/// One try. The error is a code and words, as clients of the Action API know them.
async fn post(to: &Url, described: &Described) -> Result<(), String> {
    let body = serde_json::to_vec(described).map_err(|error| format!("ERR_BAD_REQUEST:{error}"))?;
    // Another place than the one that was named is not told anything.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TRY).build();
    let request = client
        .map_err(|error| said(&error))?
        .post(to.clone())
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::USER_AGENT, concat!("panorec/", env!("CARGO_PKG_VERSION")))
        .body(body);
    let answer = request.send().await.map_err(|error| said(&error))?;
    let status = answer.status();
    match status.is_success() {
        true => Ok(()),
        false if status.is_client_error() => {
            Err(format!("ERR_BAD_REQUEST:Request failed with status code {}", status.as_u16()))
        }
        false => Err(format!("ERR_BAD_RESPONSE:Request failed with status code {}", status.as_u16())),
    }
}

fn said(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("ECONNABORTED:timeout of {}ms exceeded", TRY.as_millis());
    }
    // The innermost cause says it; the address, which may hold a secret, is in the outermost.
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    let cause = cause.map_or_else(|| "the request failed".to_owned(), ToString::to_string);
    let code = if cause.contains("refused") { "ECONNREFUSED" } else { "ERR_NETWORK" };
    format!("{code}:{cause}")
}
