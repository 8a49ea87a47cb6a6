//! The Authorization header: `hmac id="…", algorithm="hmac-sha1", headers="source x-date", signature="…"`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::denied::Denied;

/// What a client says of itself and of its signature.
pub(super) struct Credentials<'a> {
    pub id: &'a str,
    pub algorithm: &'a str,
    /// Names in lower case, in the order in which they were signed.
    pub headers: Vec<String>,
    /// The authentication code; empty when it was no Base64, which matches nothing.
    pub signature: Vec<u8>,
}

impl<'a> Credentials<'a> {
    /// Reads the header; None: there is none.
    ///
    /// # Errors
    /// It is missing, lacks id or signature, or is malformed.
    pub fn parse(header: Option<&'a str>) -> Result<Credentials<'a>, Denied> {
        let header = header.map(str::trim).filter(|header| !header.is_empty()).ok_or(Denied::Missing)?;
        let (scheme, parameters) = header.split_once([' ', '\t']).unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("hmac") {
            return Err(Denied::Format);
        }
        let (mut id, mut algorithm, mut headers, mut signature) = (None, None, None, None);
        let mut other;
        let mut rest = parameters.trim();
        while !rest.is_empty() {
            let (name, value, after) = parameter(rest).ok_or(Denied::Format)?;
            let place = match name {
                "id" => &mut id,
                "algorithm" => &mut algorithm,
                "headers" => &mut headers,
                "signature" => &mut signature,
                _ => {
                    other = None;
                    &mut other
                }
            };
            // Which of two was meant nobody can tell.
            if place.replace(value).is_some() {
                return Err(Denied::Format);
            }
            rest = after;
        }
        let given = |value: Option<&'a str>| value.filter(|value| !value.is_empty());
        let (Some(id), Some(signature)) = (given(id), given(signature)) else { return Err(Denied::Missing) };
        let (Some(algorithm), Some(headers)) = (algorithm, headers) else { return Err(Denied::Format) };
        Ok(Credentials {
            id,
            algorithm,
            headers: headers.split_ascii_whitespace().map(str::to_ascii_lowercase).collect(),
            signature: STANDARD.decode(signature).unwrap_or_default(),
        })
    }
}

/// The first parameter, `name="value"`, and what stands after it and its comma.
fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('=')?;
    let (value, rest) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
    let rest = rest.trim_start();
    match rest.strip_prefix(',') {
        Some(after) => Some((name.trim(), value, after.trim_start())),
        None if rest.is_empty() => Some((name.trim(), value, "")),
        None => None,
    }
}
