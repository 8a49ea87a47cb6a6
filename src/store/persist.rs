//! Trying again, until it succeeds, fails for good or is too late.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};

/// The pauses between tries; a client may have shorter ones of its own before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// A failed try that may pass.
pub(super) trait Passing: Sized {
    /// What was said, where the same may succeed a little later; else what it is.
    fn passing(self) -> Result<String, Self>;
}

/// Why nothing came of it.
pub(super) enum Unmet<F> {
    /// A try failed for good.
    Failed(F),
    /// It was too late; what was said last.
    Late { said: String },
}

/// Tries until it succeeds, fails for good or is too late.
pub(super) async fn persist<T, F: Passing>(
    until: Instant,
    attempt: impl AsyncFn() -> Result<T, F>,
) -> Result<T, Unmet<F>> {
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
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(fault)) => said = fault.passing().map_err(Unmet::Failed)?,
            // What was said before is more than nothing.
            Err(_) => {}
        }
        let pause = pauses.next().unwrap_or(PAUSES.1);
        if left <= pause {
            return Err(Unmet::Late { said });
        }
        tracing::warn!(said, "the store did not take it; it is tried again");
        tokio::time::sleep(pause).await;
    }
}
