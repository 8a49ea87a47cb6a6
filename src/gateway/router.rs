//! The paths of the gateway; of the Action API, whose answers are all of status 200.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use uuid::Uuid;

use super::action::{self, Form, Refusal};
use super::auth::Denied;
use super::backend::{Backend, BackendError};
use super::follow::{Failure, Gateway};
use super::rest;

/// Where actions are posted.
const RECORD: &str = "/record";

/// `POST /record`, the paths below `/v1`, `/openapi.json`, all of them behind the prefix, too; `/healthz` and `/readyz`.
/// A body beyond 1 MiB is answered as any other wrong parameter, after it was read and thrown away.
pub fn router<B: Backend>(gateway: Arc<Gateway<B>>) -> Router {
    let mut router = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready::<B>));
    let api = [(RECORD, post(record::<B>))].into_iter().chain(rest::routes::<B>());
    for (path, route) in api {
        if let Some(place) = gateway.prefix.place(path) {
            router = router.route(&place, route.clone());
        }
        router = router.route(path, route);
    }
    router.fallback(nothing_here).method_not_allowed_fallback(not_so).with_state(gateway)
}

/// `/metrics`, which is not for clients.
pub fn metrics_router<B: Backend>(gateway: Arc<Gateway<B>>) -> Router {
    Router::new().route("/metrics", get(metrics::<B>)).with_state(gateway)
}

async fn nothing_here(uri: Uri) -> Response {
    message(StatusCode::NOT_FOUND, format_args!("There is no api match uri[{}]", uri.path()))
}

async fn not_so(method: Method, uri: Uri) -> Response {
    message(StatusCode::METHOD_NOT_ALLOWED, format_args!("There is no api match method[{method}] uri[{}]", uri.path()))
}

async fn ready<B: Backend>(State(gateway): State<Arc<Gateway<B>>>) -> (StatusCode, String) {
    match gateway.backend.ready() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(waits_for) => (StatusCode::SERVICE_UNAVAILABLE, format!("{waits_for}\n")),
    }
}

async fn metrics<B: Backend>(State(gateway): State<Arc<Gateway<B>>>) -> Response {
    match gateway.metrics.text(&gateway.backend.census()) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Answers that the original's gateway gives, and not its service.
fn message(status: StatusCode, message: impl std::fmt::Display) -> Response {
    (status, Json(json!({ "message": message.to_string() }))).into_response()
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        message(self.status(), &self)
    }
}

async fn record<B: Backend>(State(gateway): State<Arc<Gateway<B>>>, request: HttpRequest) -> Response {
    let (head, body) = request.into_parts();
    let mut form = Form::default();
    let followed = gateway.follow(&head, body, |body| {
        let (read_form, request) = action::read(body);
        form = read_form;
        Ok(request?)
    });
    let request_id = Uuid::new_v4();
    let outcome = match followed.await {
        Ok((_, answer)) => Ok(answer),
        Err(Failure::Denied(denied)) => return denied.into_response(),
        Err(Failure::Refused(refusal)) => Err(refusal),
        Err(Failure::Body(error)) => Err(Refusal::parameter(error.to_string())),
        Err(Failure::Backend(BackendError::NotFound)) => Err(Refusal::parameter(action::NOT_FOUND)),
        Err(Failure::Backend(error @ BackendError::Taken)) => Err(Refusal::internal(error.to_string())),
        Err(Failure::Backend(error)) => {
            tracing::error!(%request_id, %error, "a request could not be followed");
            Err(Refusal::internal(error.to_string()))
        }
    };
    Json(action::answer(form, request_id, outcome)).into_response()
}
