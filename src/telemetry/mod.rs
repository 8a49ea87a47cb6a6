//! Logs of what runs in a cluster: lines of JSON on stderr, their level changeable at run time.
//! Called by the pod's commands, the operator and the gateway.
//! Never: says a secret, or knows what it logs.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// Changes what is logged.
#[derive(Clone)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

/// Why the log could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum BadFilter {
    #[error("{0}; write it like info, or panorec=debug,kube=warn")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("the log cannot be changed: {0}")]
    Reload(#[from] reload::Error),
}

impl LogHandle {
    /// Logs by `filter` from here on.
    ///
    /// # Errors
    /// A filter that cannot be read.
    pub fn set(&self, filter: &str) -> Result<(), BadFilter> {
        Ok(self.0.reload(EnvFilter::try_new(filter)?)?)
    }
}

/// Begins to log lines of JSON: what PANOREC_LOG says, else `default`.
pub fn json_logs(default: &str) -> LogHandle {
    let said = std::env::var("PANOREC_LOG").ok().filter(|said| !said.is_empty());
    let filter = EnvFilter::new(said.as_deref().unwrap_or(default));
    let (filter, handle) = reload::Layer::new(filter);
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(std::io::stderr);
    // A second subscriber in one process (tests) is of no interest.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    LogHandle(handle)
}
