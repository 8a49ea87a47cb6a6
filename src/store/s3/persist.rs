//! Trying again what may succeed a little later.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};

use super::S3Error;
use super::fault::Fault;
use crate::session::request::S3Destination;

/// The pauses between tries; the SDK has shorter ones of its own before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Tries until it succeeds, fails for good or is too late.
pub(super) async fn persist<T>(
    destination: &S3Destination,
    until: Instant,
    attempt: impl AsyncFn() -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(PAUSES.0)
        .with_max_delay(PAUSES.1)
        .with_jitter()
        .without_max_times()
        .build();
    let mut said = "no answer in time".to_owned();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, attempt()).await {
            Ok(Err(Fault::Transient(now))) => said = now,
            Ok(other) => return other,
            // What was said before is more than nothing.
            Err(_) => {}
        }
        let pause = pauses.next().unwrap_or(PAUSES.1);
        if left <= pause {
            let all = Duration::from_secs(destination.deadline_seconds);
            return Err(Fault::Permanent(late(destination, all, &said)));
        }
        tracing::warn!(said, "the store did not take it; it is tried again");
        tokio::time::sleep(pause).await;
    }
}

pub(super) fn late(destination: &S3Destination, after: Duration, said: &str) -> S3Error {
    let store = destination.endpoint.as_ref().map_or("S3".to_owned(), ToString::to_string);
    S3Error::Unreachable { store, seconds: after.as_secs(), said: said.to_owned() }
}
