//! Why a request is turned away, in the words of the original's gateway.

use http::StatusCode;

/// Why a request is turned away. Its text is the `message` of the answer's body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("HMAC id or signature missing.")]
    Missing,
    #[error("HMAC apikey is invalid for API.")]
    UnknownKey,
    #[error("HMAC signature cannot be verified, a valid x-date header is required for HMAC Authentication.")]
    NoDate,
    #[error("HMAC signature cannot be verified, the x-date header is out of date for HMAC Authentication.")]
    OutOfDate,
    #[error("HMAC algorithm {0} not supported.")]
    Algorithm(String),
    #[error("HMAC authorization format error.")]
    Format,
    #[error("HMAC signature cannot be verified, a valid {0} header is required.")]
    NoHeader(String),
    #[error("HMAC signature does not match.")]
    Mismatch,
    /// Not of the original, which takes the same signature again.
    #[error("HMAC signature cannot be verified, it has been used before.")]
    Replayed,
    /// A key has used up one of its limits.
    #[error("API rate limit exceeded.")]
    Limit,
}

impl Denied {
    /// 401, but for a limit.
    pub fn status(&self) -> StatusCode {
        match self {
            Denied::Limit => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::UNAUTHORIZED,
        }
    }
}
