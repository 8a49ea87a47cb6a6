//! What is counted. One prefix, base units, no name of a task or a key as a label.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::action::ErrorCode;
use super::backend::{BackendError, Census};
use super::follow::Failure;
use crate::session::fold::Phase;

/// A gateway's metrics. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<Request, Counter>,
    request_seconds: Histogram,
    tasks: Family<Status, Gauge>,
    /// Clients that follow a task by server-sent events just now.
    pub(super) event_streams: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    /// `none`: what was asked for is not known.
    action: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: &'static str,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let (requests, tasks, event_streams) = (Family::default(), Family::default(), Gauge::default());
        let request_seconds = Histogram::new([0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0]);
        let mut registry = Registry::with_prefix("panorec_gateway");
        registry.register("requests", "Requests, by action and by what came of them", Family::clone(&requests));
        registry.register_with_unit(
            "request",
            "Time from a request's last byte to its answer",
            Unit::Seconds,
            request_seconds.clone(),
        );
        registry.register("tasks", "Tasks by status", Family::clone(&tasks));
        registry.register("event_streams", "Clients that follow a task", event_streams.clone());
        Metrics { registry: Arc::new(registry), requests, request_seconds, tasks, event_streams }
    }
}

impl Metrics {
    /// Counts a request.
    pub(super) fn answered(&self, action: &'static str, failure: Option<&Failure>, took: Duration) {
        let outcome = failure.map_or("ok", outcome);
        self.requests.get_or_create(&Request { action, outcome }).inc();
        self.request_seconds.observe(took.as_secs_f64());
    }

    /// All of them, as OpenMetrics.
    pub(super) fn text(&self, census: &Census) -> Result<String, fmt::Error> {
        for phase in Phase::ALL {
            let count = census.get(&phase).copied().unwrap_or_default();
            self.tasks.get_or_create(&Status { status: phase.as_str() }).set(count as i64);
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn outcome(failure: &Failure) -> &'static str {
    match failure {
        Failure::Body(_) => "bad_body",
        Failure::Denied(_) => "denied",
        Failure::Refused(refusal) => match refusal.code {
            ErrorCode::InvalidParam => "invalid_param",
            ErrorCode::InvalidStatus => "invalid_status",
            ErrorCode::InternalError => "internal_error",
        },
        Failure::Backend(BackendError::NotFound) => "not_found",
        Failure::Backend(BackendError::Taken) => "taken",
        Failure::Backend(_) => "internal_error",
    }
}
