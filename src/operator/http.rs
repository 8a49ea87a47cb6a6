//! Probes, metrics, diagnostics, and the level of the log.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, put};
use kube::ResourceExt;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::net::TcpListener;

use super::metrics::{Metrics, PhaseLabel, StreamLabel, StreamWord};
use super::run::Shared;
use crate::complaint::Complaint;
use crate::session::fold::Phase;
use crate::telemetry::LogHandle;

/// What the pages show.
pub struct Pages {
    pub shared: Arc<Shared>,
    pub metrics: Metrics,
    pub registry: Registry,
    pub log: LogHandle,
}

/// Serves until `end`.
pub async fn serve(
    listen: SocketAddr,
    pages: Pages,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Complaint> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Complaint::usage(format!("cannot listen on {listen} ({error}); give --listen another address"))
    })?;
    let address = listener.local_addr().map_or(listen, |address| address);
    tracing::info!(%address, "serves");
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/debug/state", get(state))
        .route("/debug/log", put(log))
        .with_state(Arc::new(pages));
    axum::serve(listener, router)
        .with_graceful_shutdown(end)
        .await
        .map_err(|error| Complaint::internal(format!("probes and metrics: {error}")))
}

/// A replica that waits for its turn is ready too.
async fn ready(State(pages): State<Arc<Pages>>) -> (StatusCode, &'static str) {
    match pages.shared.is_ready() {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "the caches are not filled yet\n"),
    }
}

async fn metrics(State(pages): State<Arc<Pages>>) -> impl IntoResponse {
    gather(&pages);
    let mut text = String::new();
    let code = match prometheus_client::encoding::text::encode(&mut text, &pages.registry) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (code, [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}

/// What is counted when it is asked for.
fn gather(pages: &Pages) {
    let Some(leading) = pages.shared.leading() else { return };
    let (metrics, recordings) = (&pages.metrics, leading.recordings.state());
    for phase in Phase::ALL {
        let count = recordings.iter().filter(|recording| phase_of(recording) == Some(phase)).count();
        metrics.recordings.get_or_create(&PhaseLabel { phase: phase.as_str() }).set(count as i64);
    }
    metrics.queue_length.set(leading.queue.length() as i64);
    let (all, open) = leading.streams.counts();
    for (state, count) in [(StreamWord::open, open), (StreamWord::closed, all - open)] {
        metrics.streams.get_or_create(&StreamLabel { state }).set(count as i64);
    }
}

fn phase_of(recording: &kube::core::DeserializeGuard<crate::resource::Recording>) -> Option<Phase> {
    let recording = recording.0.as_ref().ok()?;
    Some(recording.status.as_ref().map_or(Phase::Normal, |status| status.phase))
}

/// Watches, streams and the lease, for whoever looks for what is wrong.
async fn state(State(pages): State<Arc<Pages>>) -> impl IntoResponse {
    let shared = &pages.shared;
    let leading = shared.leading().map(|leading| {
        json!({
            "watches": {
                "recordings": leading.recordings.len(),
                "jobs": leading.caches.jobs.len(),
                "pods": leading.caches.pods.len(),
                "podDisruptionBudgets": leading.caches.budgets.len(),
            },
            "malformed": leading.recordings.state().iter().filter_map(|recording| {
                Some(json!({ "name": recording.name_any(), "error": recording.0.as_ref().err()?.error }))
            }).collect::<Vec<_>>(),
            "queueLength": leading.queue.length(),
            "streams": leading.streams.states(),
        })
    });
    let state = json!({ "identity": shared.identity(), "leads": leading.is_some(), "leading": leading });
    axum::Json(state)
}

/// Sets what is logged, as in PANOREC_LOG.
async fn log(State(pages): State<Arc<Pages>>, filter: String) -> (StatusCode, String) {
    match pages.log.set(filter.trim()) {
        Ok(()) => (StatusCode::OK, "ok\n".into()),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}
