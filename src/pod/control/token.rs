//! The token that every request must bring. The endpoint knows its hash only.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Shared;

const HEADER: &str = "x-panorec-token";

/// The SHA-256 of a token.
#[derive(Clone)]
pub struct Token([u8; 32]);

/// The text is no hash.
#[derive(Debug, thiserror::Error)]
#[error("the token's SHA-256 must be 64 hexadecimal digits")]
pub struct BadToken;

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Token, BadToken> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadToken);
        }
        let mut hash = [0; 32];
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| BadToken)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| BadToken)?;
        }
        Ok(Token(hash))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Whether this is the hash of `token`; takes as long whatever it is.
    fn is_of(&self, token: &[u8]) -> bool {
        Sha256::digest(token).as_slice().ct_eq(&self.0).into()
    }
}

/// Lets nobody pass without the token.
pub(super) async fn required(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let token = request.headers().get(HEADER);
    if token.is_some_and(|token| shared.token.is_of(token.as_bytes())) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, "the header X-Panorec-Token is missing or wrong\n").into_response()
}
