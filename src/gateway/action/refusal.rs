//! Why a request is not followed, as the Action API says it.

use schemars::JsonSchema;
use serde::Serialize;

/// The codes of answers. Those of a result are the session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum ErrorCode {
    InvalidParam,
    InvalidStatus,
    InternalError,
}

/// Why a request is not followed: answered with HTTP 200.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub code: ErrorCode,
    /// In the original's words where it has some, else a sentence that says what to do.
    pub message: String,
}

impl Refusal {
    /// What was asked for cannot be.
    pub fn parameter(message: impl Into<String>) -> Refusal {
        Refusal { code: ErrorCode::InvalidParam, message: message.into() }
    }

    /// Not in this status.
    pub fn status(message: impl Into<String>) -> Refusal {
        Refusal { code: ErrorCode::InvalidStatus, message: message.into() }
    }

    /// It could not be done.
    pub fn internal(message: impl Into<String>) -> Refusal {
        Refusal { code: ErrorCode::InternalError, message: message.into() }
    }
}
