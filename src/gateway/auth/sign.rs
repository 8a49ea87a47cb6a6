//! The client's side of a signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::canonical::{Fields, is_form, path_and_parameters};
use super::digest::{Algorithm, BodyMd5};
use crate::gateway::Secret;

/// A request to be signed.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// In capitals, as in `POST`.
    pub method: &'a str,
    /// Without the stage prefix, as in `/record`.
    pub path: &'a str,
    /// Without its '?'.
    pub query: Option<&'a str>,
    /// The value of the header Accept as it will be sent; empty: none is sent.
    pub accept: &'a str,
    /// The same of Content-Type.
    pub content_type: &'a str,
    pub body: &'a [u8],
}

/// The headers to send besides Accept and Content-Type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `x-date`
    pub x_date: String,
    /// `content-md5`; None: there is no body, or it is a form.
    pub content_md5: Option<String>,
    /// `authorization`
    pub authorization: String,
}

/// Signs a request with a key, as of `now`; Content-MD5 in the reading of the official samples.
///
/// # Errors
/// A time before the year 0, which x-date cannot say.
pub fn sign(
    request: &Outgoing<'_>,
    key_id: &str,
    secret: &Secret,
    algorithm: Algorithm,
    now: Timestamp,
) -> Result<Signed, jiff::Error> {
    let x_date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now)?;
    let form = is_form(request.content_type.as_bytes()).then_some(request.body);
    let content_md5 = (form.is_none() && !request.body.is_empty()).then(|| BodyMd5::of(request.body).hex);
    let fields = Fields {
        headers: vec![("x-date", x_date.as_bytes())],
        method: request.method,
        accept: request.accept.as_bytes(),
        content_type: request.content_type.as_bytes(),
        content_md5: content_md5.as_deref().unwrap_or_default().as_bytes(),
        path: &path_and_parameters(request.path, request.query, form),
    };
    let signature = STANDARD.encode(algorithm.mac(secret, &fields.to_sign()));
    let authorization =
        format!(r#"hmac id="{key_id}", algorithm="{algorithm}", headers="x-date", signature="{signature}""#);
    Ok(Signed { x_date, content_md5, authorization })
}
