//! What a callback carries that is nobody else's business: a signature, and headers of the receiver's own.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use sha2::Sha256;

use super::callback::{SIGNATURE_HEADER, TIMESTAMP_HEADER};

/// A secret file is no longer, and has no more headers.
const LONGEST_FILE: u64 = 64 << 10;
const MOST_HEADERS: usize = 32;
/// What the request has of itself.
const OWN: [&str; 7] =
    ["content-type", "content-length", "host", "connection", "transfer-encoding", TIMESTAMP_HEADER, SIGNATURE_HEADER];

/// Why a secret file cannot be used. Nothing of what it holds is shown.
#[derive(Debug, thiserror::Error)]
#[error("the callback's secret {path} cannot be used: {why}")]
pub struct BadSecret {
    path: PathBuf,
    why: String,
}

/// A secret file, `panorec-callback.json`: `{"signingKey": "…", "headers": {"Authorization": "Bearer …"}}`.
pub struct CallbackSecret {
    key: Option<Vec<u8>>,
    pub(super) headers: HeaderMap,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    /// The text itself is the key, at least 16 bytes.
    #[serde(default)]
    signing_key: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl CallbackSecret {
    /// Reads a secret file.
    ///
    /// # Errors
    /// It is not there, is not what it should be, or has headers that the request has of itself.
    pub fn read(path: &Path) -> Result<CallbackSecret, BadSecret> {
        let bad = |why: String| BadSecret { path: path.to_owned(), why };
        let file = std::fs::File::open(path).map_err(|error| bad(error.to_string()))?;
        let mut text = Vec::new();
        file.take(LONGEST_FILE).read_to_end(&mut text).map_err(|error| bad(error.to_string()))?;
        CallbackSecret::parse(&text).map_err(bad)
    }

    fn parse(text: &[u8]) -> Result<CallbackSecret, String> {
        // The parser's own words would show what is in it.
        let file: File = serde_json::from_slice(text)
            .map_err(|error| format!("line {}: it must be JSON with signingKey, headers or both", error.line()))?;
        let key = file.signing_key.map(String::into_bytes);
        if key.as_ref().is_some_and(|key| key.len() < 16) {
            return Err("signingKey must have at least 16 bytes, as from `openssl rand -hex 32`".to_owned());
        }
        if file.headers.len() > MOST_HEADERS {
            return Err(format!("it has more than {MOST_HEADERS} headers"));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in file.headers {
            let shown: String = name.chars().take(80).collect();
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{shown:?} is no header's name"))?;
            if OWN.contains(&name.as_str()) {
                return Err(format!("the header {name} is the request's own"));
            }
            let mut value =
                HeaderValue::from_str(&value).map_err(|_| format!("{name} has a value that no header has"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(CallbackSecret { key, headers })
    }

    /// The headers of a signed body; None without a key.
    pub(super) fn sign(&self, unix_seconds: i64, body: &[u8]) -> Option<HeaderMap> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_ref()?).ok()?;
        mac.update(format!("{unix_seconds}.").as_bytes());
        mac.update(body);
        let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let signature = HeaderValue::from_str(&format!("sha256={digest}")).ok()?;
        Some(HeaderMap::from_iter([
            (HeaderName::from_static(TIMESTAMP_HEADER), HeaderValue::from(unix_seconds)),
            (HeaderName::from_static(SIGNATURE_HEADER), signature),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_signed_with_its_time() {
        let secret = CallbackSecret::parse(br#"{"signingKey":"0123456789abcdef0123456789abcdef"}"#).unwrap();
        let headers = secret.sign(1_700_000_000, br#"{"TaskID":"lesson"}"#).unwrap();
        assert_eq!(headers[TIMESTAMP_HEADER], "1700000000");
        // printf '1700000000.{"TaskID":"lesson"}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        assert_eq!(
            headers[SIGNATURE_HEADER],
            "sha256=04b8e36d6146ab73a4953ce22671c6b5cba40939506da1b52793ae9a8bf10639"
        );
        assert!(CallbackSecret::parse(b"{}").unwrap().sign(1, b"").is_none());
    }

    #[test]
    fn what_is_no_secret_file_is_refused_and_never_shown() {
        for (text, says) in [
            (&br#"{"signingKey":"short"}"#[..], "at least 16"),
            (br#"{"headers":{"Content-Type":"SECRET"}}"#, "the request's own"),
            (br#"{"headers":{"a b":"SECRET"}}"#, "no header's name"),
            (br#"{"headers":{"A":"SECRET\n"}}"#, "no header has"),
            (br#"{"SECRET":1}"#, "it must be JSON"),
            (b"SECRET", "it must be JSON"),
        ] {
            let said = CallbackSecret::parse(text).err().unwrap();
            assert!(said.contains(says) && !said.contains("SECRET"), "{said}");
        }
        let read = CallbackSecret::parse(br#"{"headers":{"Authorization":"Bearer x"}}"#).unwrap();
        assert_eq!(read.headers["authorization"], "Bearer x");
    }
}
