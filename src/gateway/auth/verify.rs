//! Whether a request was signed by one of the keys.

use http::header;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use subtle::{Choice, ConstantTimeEq};

use super::canonical::{Fields, Incoming, is_form, path_and_parameters};
use super::credentials::Credentials;
use super::denied::Denied;
use super::digest::{Algorithm, BodyMd5};
use super::keys::{Key, Keys};
use crate::gateway::prefix::Prefix;

/// How far a client's clock may be from this one, in seconds.
pub const SKEW_SECONDS: i64 = 900;

/// A signature that holds.
pub(super) struct Verified<'k> {
    pub key: &'k Key,
    pub signature: Vec<u8>,
    /// When it was made, by its x-date.
    pub dated: Timestamp,
}

/// Checks the signature of a request: first its form, then its key, its date, its algorithm, its headers and last the
/// code itself, in constant time.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn verify<'k>(
    keys: &'k Keys,
    request: &Incoming<'_>,
    prefix: &Prefix,
    now: Timestamp,
) -> Result<Verified<'k>, Denied> {
    let authorization = request.headers.get(header::AUTHORIZATION);
    let authorization = authorization.map(|value| value.to_str().map_err(|_| Denied::Format)).transpose()?;
    let said = Credentials::parse(authorization)?;
    let key = keys.get(said.id).ok_or(Denied::UnknownKey)?;
    let dated = dated(request, &said)?;
    if (now.as_second() - dated.as_second()).abs() > SKEW_SECONDS {
        return Err(Denied::OutOfDate);
    }
    let shown = || said.algorithm.chars().take(80).collect();
    let algorithm: Algorithm = said.algorithm.parse().map_err(|_| Denied::Algorithm(shown()))?;
    let mut headers = Vec::with_capacity(said.headers.len());
    for name in &said.headers {
        let value = request.headers.get(name).ok_or_else(|| Denied::NoHeader(name.chars().take(80).collect()))?;
        headers.push((name.as_str(), value.as_bytes()));
    }
    let content_type = request.header(header::CONTENT_TYPE);
    let form = is_form(content_type).then_some(request.body);
    let readings = readings(request, form.is_some())?;
    let mut fields = Fields {
        headers,
        method: request.method,
        accept: request.header(header::ACCEPT),
        content_type,
        content_md5: b"",
        path: &path_and_parameters(prefix.strip(request.path), request.query, form),
    };
    let mut matches = Choice::from(0);
    for content_md5 in &readings {
        fields.content_md5 = content_md5.as_bytes();
        matches |= algorithm.mac(&key.secret, &fields.to_sign()).ct_eq(&said.signature);
    }
    match bool::from(matches) && !said.signature.is_empty() {
        true => Ok(Verified { key, signature: said.signature, dated }),
        false => Err(Denied::Mismatch),
    }
}

/// The time of a request. It must be signed, or an old signature would do for ever.
fn dated(request: &Incoming<'_>, said: &Credentials<'_>) -> Result<Timestamp, Denied> {
    let date = request.headers.get("x-date").filter(|_| said.headers.iter().any(|name| name == "x-date"));
    let date = date.and_then(|date| date.to_str().ok()).map(str::trim).ok_or(Denied::NoDate)?;
    // RFC 1123 has other zones too; the API knows this one.
    let date = Some(date).filter(|date| date.ends_with(" GMT")).ok_or(Denied::NoDate)?;
    DateTimeParser::new().parse_timestamp(date).map_err(|_| Denied::NoDate)
}

/// What may have been signed as Content-MD5: the header's value, which has to be that of the body; without the header
/// each reading of it, for some clients sign it and do not send it.
fn readings(request: &Incoming<'_>, is_form: bool) -> Result<Vec<String>, Denied> {
    if is_form {
        return Ok(vec![String::new()]);
    }
    let sent = request.header(header::HeaderName::from_static("content-md5")).trim_ascii();
    if sent.is_empty() && request.body.is_empty() {
        return Ok(vec![String::new()]);
    }
    let BodyMd5 { hex, raw } = BodyMd5::of(request.body);
    if sent.is_empty() {
        return Ok(vec![hex, raw, String::new()]);
    }
    let of_body = [hex, raw].into_iter().find(|reading| reading.as_bytes() == sent);
    Ok(vec![of_body.ok_or(Denied::Mismatch)?])
}
