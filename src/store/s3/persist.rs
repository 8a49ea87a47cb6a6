//! Trying again what may succeed a little later, for as long as the destination says.

use std::time::{Duration, Instant};

use super::S3Error;
use super::fault::Fault;
use crate::session::request::S3Destination;
use crate::store::persist::{Unmet, persist as outlast};

/// Tries until it succeeds, fails for good or is too late.
pub(super) async fn persist<T>(
    destination: &S3Destination,
    until: Instant,
    attempt: impl AsyncFn() -> Result<T, Fault>,
) -> Result<T, Fault> {
    outlast(until, attempt).await.map_err(|unmet| match unmet {
        Unmet::Failed(fault) => fault,
        Unmet::Late { said } => {
            let all = Duration::from_secs(destination.deadline_seconds);
            Fault::Permanent(late(destination, all, &said))
        }
    })
}

pub(super) fn late(destination: &S3Destination, after: Duration, said: &str) -> S3Error {
    let store = destination.endpoint.as_ref().map_or("S3".to_owned(), ToString::to_string);
    S3Error::Unreachable { store, seconds: after.as_secs(), said: said.to_owned() }
}
