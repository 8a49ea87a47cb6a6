//! The paths of the gateway, and the way of a request: signature, action, backend, answer.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{Method, StatusCode, Uri, request};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::action::{self, Answer, ErrorCode, Form, Refusal, Request};
use super::auth::{Caller, Denied, Gate, Incoming};
use super::backend::{Backend, BackendError};
use super::body;
use super::prefix::Prefix;

/// Where actions are posted.
const RECORD: &str = "/record";

/// What a router is made of.
pub struct Gateway<B> {
    pub backend: Arc<B>,
    /// Who is let in; None: everybody, so it must be heard on loopback only.
    pub gate: Option<Arc<Gate>>,
    pub prefix: Prefix,
}

/// `POST /record` and `POST <prefix>/record`, `/healthz` and `/readyz`. A body beyond 1 MiB is answered as any other
/// wrong parameter, with 200, after it was read and thrown away.
pub fn router<B: Backend>(gateway: Gateway<B>) -> Router {
    let prefixed = gateway.prefix.place(RECORD);
    let mut router = Router::new()
        .route(RECORD, post(record::<B>))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::<B>));
    if let Some(place) = prefixed {
        router = router.route(&place, post(record::<B>));
    }
    router.fallback(nothing_here).method_not_allowed_fallback(not_so).with_state(Arc::new(gateway))
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
    let request_id = Uuid::new_v4();
    let (head, body) = request.into_parts();
    match gateway.follow(&head, body).await {
        Ok((form, outcome)) => {
            if let Err(Refusal { code: ErrorCode::InternalError, message }) = &outcome {
                tracing::error!(%request_id, message, "a request could not be followed");
            }
            Json(action::answer(form, request_id, outcome)).into_response()
        }
        Err(denied) => denied.into_response(),
    }
}

/// The form of the answer, and what came of the request.
type Followed = (Form, Result<Answer, Refusal>);

impl<B: Backend> Gateway<B> {
    async fn follow(&self, head: &request::Parts, body: Body) -> Result<Followed, Denied> {
        let body = match body::read(body).await {
            Ok(body) => body,
            // It cannot be verified, and nothing is told but that.
            Err(error) => return Ok((Form::default(), Err(Refusal::parameter(error.to_string())))),
        };
        let caller = self.caller(head, &body)?;
        let (form, request) = action::read(&body);
        let request = match request {
            Ok(request) => request,
            Err(refusal) => return Ok((form, Err(refusal))),
        };
        if let (Some(gate), Request::Start(_)) = (&self.gate, &request) {
            gate.count_start(&caller, Timestamp::now())?;
        }
        match self.ask(&caller, request).await {
            Ok(answer) => Ok((form, Ok(answer))),
            Err(BackendError::Limit) => Err(Denied::Limit),
            Err(error) => Ok((form, Err(error.into()))),
        }
    }

    fn caller(&self, head: &request::Parts, body: &[u8]) -> Result<Caller, Denied> {
        let Some(gate) = &self.gate else { return Ok(Caller::default()) };
        let request = Incoming {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
            body,
        };
        gate.admit(&request, &self.prefix, Timestamp::now())
    }

    async fn ask(&self, caller: &Caller, request: Request) -> Result<Answer, BackendError> {
        let backend = &self.backend;
        match request {
            Request::Start(start) => backend.start(caller, *start).await.map(Answer::Done),
            Request::Tell { task, order } => {
                backend.tell(caller, &task, order).await?;
                Ok(Answer::Done(task))
            }
            Request::Describe { task } => Ok(Answer::Described(backend.find(caller, &task).await?.described)),
            Request::DescribeDetail { task } => Ok(Answer::Detailed(Box::new(backend.find(caller, &task).await?))),
            Request::List(filter) => backend.list(caller, &filter).await.map(Answer::Listed),
        }
    }
}

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Refusal {
        match error {
            BackendError::NotFound => Refusal::parameter(error.to_string()),
            BackendError::Refused(refusal) => refusal,
            BackendError::Limit | BackendError::Create(_) | BackendError::Begin(_) | BackendError::Internal(_) => {
                Refusal::internal(error.to_string())
            }
        }
    }
}
