//! Telemetry of the processes that nobody watches on a terminal: logs as JSON, one line an event.
//! Called by whatever runs in a cluster, once at its start.
//! Never: logs a secret, or writes anywhere but to stderr.

use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// Changes what is logged while the process runs.
pub(crate) type LogFilter = reload::Handle<EnvFilter, Registry>;

/// Begins to log to stderr what PANOREC_LOG says, else what `default_filter` says.
pub(crate) fn json_logs(default_filter: &str) -> LogFilter {
    let said = std::env::var("PANOREC_LOG").ok().filter(|said| !said.is_empty());
    let (filter, handle) = reload::Layer::new(EnvFilter::new(said.as_deref().unwrap_or(default_filter)));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
    // A second subscriber in one process (tests) is of no interest.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    handle
}
