//! A failure as an answer with a status.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::gateway::action::{self, ErrorCode};
use crate::gateway::backend::BackendError;
use crate::gateway::body::BadBody;
use crate::gateway::follow::Failure;

/// Why a request came to nothing; that it was not signed as it must be is said in `message` alone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(in crate::gateway) struct RestError {
    error_code: ErrorCode,
    error_message: String,
    #[serde(rename = "RequestID")]
    request_id: String,
}

/// An answer that is no success.
#[derive(Debug)]
pub(in crate::gateway) struct Failed(Failure);

impl Failed {
    /// A backend answered to something else than was asked.
    pub(super) fn unexpected() -> Failed {
        Failed(Failure::Backend(BackendError::Internal("the answer is not that of the request".to_owned())))
    }
}

impl<F: Into<Failure>> From<F> for Failed {
    fn from(failure: F) -> Failed {
        Failed(failure.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let error_message = match &self.0 {
            Failure::Backend(BackendError::NotFound) => action::NOT_FOUND.to_owned(),
            failure => failure.to_string(),
        };
        let (status, error_code) = match self.0 {
            Failure::Denied(denied) => return denied.into_response(),
            Failure::Body(BadBody::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::InvalidParam),
            Failure::Body(BadBody::TooSlow) => (StatusCode::REQUEST_TIMEOUT, ErrorCode::InvalidParam),
            Failure::Body(BadBody::Broken) => (StatusCode::BAD_REQUEST, ErrorCode::InvalidParam),
            Failure::Refused(refusal) => (status(refusal.code), refusal.code),
            Failure::Backend(BackendError::NotFound) => (StatusCode::NOT_FOUND, ErrorCode::InvalidParam),
            Failure::Backend(BackendError::Taken) => (StatusCode::CONFLICT, ErrorCode::InvalidParam),
            Failure::Backend(_) => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::InternalError),
        };
        let request_id = Uuid::new_v4();
        if status.is_server_error() {
            tracing::error!(%request_id, error = error_message, "a request could not be followed");
        }
        (status, Json(RestError { error_code, error_message, request_id: request_id.to_string() })).into_response()
    }
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidParam => StatusCode::BAD_REQUEST,
        ErrorCode::InvalidStatus => StatusCode::CONFLICT,
        // It was decided, so nothing is broken: this installation cannot do what was asked.
        ErrorCode::InternalError => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
