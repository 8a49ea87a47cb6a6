//! What is counted. One prefix, base units, no name of an object as a label.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The operator's metrics.
#[derive(Clone)]
pub struct Metrics {
    pub reconciles: Family<Outcome, Counter>,
    pub reconcile_seconds: Histogram,
    pub status_writes: Counter,
    pub recordings: Family<PhaseLabel, Gauge>,
    pub queue_length: Gauge,
    pub streams: Family<StreamLabel, Gauge>,
    pub leader: Gauge,
    pub start_seconds: Family<StageLabel, Histogram>,
    pub ended: Family<ReasonLabel, Counter>,
}

/// How a reconcile ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    pub error: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PhaseLabel {
    pub phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StreamLabel {
    pub state: StreamWord,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types)]
pub enum StreamWord {
    open,
    closed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StageLabel {
    pub stage: &'static str,
}

impl Metrics {
    /// Makes them, and the registry that shows them.
    pub fn new() -> (Metrics, Registry) {
        let seconds = || Histogram::new([0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0]);
        let long = || Histogram::new([0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 30.0, 60.0, 300.0]);
        let metrics = Metrics {
            reconciles: Family::default(),
            reconcile_seconds: seconds(),
            status_writes: Counter::default(),
            recordings: Family::default(),
            queue_length: Gauge::default(),
            streams: Family::default(),
            leader: Gauge::default(),
            start_seconds: Family::new_with_constructor(long as fn() -> Histogram),
            ended: Family::default(),
        };
        let mut registry = Registry::with_prefix("panorec_operator");
        let shown = metrics.clone();
        registry.register("reconciles", "Looks at a recording, by the error they ended with", shown.reconciles);
        registry.register_with_unit("reconcile", "Time of a look", Unit::Seconds, shown.reconcile_seconds);
        registry.register("status_writes", "Writes of a status", shown.status_writes);
        registry.register("recordings", "Recordings by phase", shown.recordings);
        registry.register("queue_length", "Recordings that wait for their turn", shown.queue_length);
        registry.register("streams", "Streams to publishers", shown.streams);
        registry.register("leader", "Whether this replica leads", shown.leader);
        registry.register_with_unit(
            "start",
            "From the creation of a recording to each stage of its start",
            Unit::Seconds,
            shown.start_seconds,
        );
        registry.register("ended", "Recordings that ended, by reason", shown.ended);
        (metrics, registry)
    }
}
