//! The signature of S3 requests with temporary keys, computed again. The object store of the tests knows no such
//! keys: their token is checked here, and taken out under a new signature of the same keys.

use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use super::signed::{hex, sign};
use crate::proxy::Seen;

const TOKEN: &str = "x-amz-security-token";

/// The headers that the request has without its token, if it was signed by these keys together with `token`.
pub fn without_token(seen: &Seen, secret: &str, token: &str) -> Result<HeaderMap, String> {
    let authorization = seen.header("authorization");
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
    let field = |name: &str| {
        let found = fields.split(", ").find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found.ok_or_else(|| format!("no {name}"))
    };
    let (credential, names, signature) = (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let names: Vec<&str> = names.split(';').collect();
    if seen.header(TOKEN) != token || !names.contains(&TOKEN) {
        return Err("the token is not that of the keys, or it is not signed".to_owned());
    }
    let (_, scope) = credential.split_once('/').ok_or("no scope")?;
    if signature != signature_of(seen, secret, scope, &names) {
        return Err("the signature is another".to_owned());
    }
    let names: Vec<&str> = names.into_iter().filter(|name| *name != TOKEN).collect();
    let signature = signature_of(seen, secret, scope, &names);
    let signed =
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={}, Signature={signature}", names.join(";"));
    let mut headers = seen.headers.clone();
    headers.remove(TOKEN);
    headers.insert("authorization", HeaderValue::from_str(&signed).expect("a header"));
    Ok(headers)
}

fn signature_of(seen: &Seen, secret: &str, scope: &str, names: &[&str]) -> String {
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let mut query: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    query.sort();
    let mut lines = vec![seen.method.to_string(), path.to_owned(), query.join("&")];
    lines.extend(names.iter().map(|name| format!("{name}:{}", seen.header(name).trim())));
    lines.extend([String::new(), names.join(";"), seen.header("x-amz-content-sha256").to_owned()]);
    let request = hex(&Sha256::digest(lines.join("\n")));
    let text = ["AWS4-HMAC-SHA256", seen.header("x-amz-date"), scope, &request].join("\n");
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| sign(&key, part));
    hex(&sign(&key, &text))
}
