//! An account's keys: read from a file, shown nowhere.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A credentials file is no longer.
const LONGEST_FILE: u64 = 64 << 10;

/// What requests are signed with. Never shown: it has no Debug.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Keys {
    #[serde(alias = "accessKeyId")]
    pub secret_id: String,
    #[serde(alias = "secretAccessKey")]
    pub secret_key: String,
    /// That of a temporary key.
    #[serde(default, alias = "sessionToken")]
    pub token: Option<String>,
}

/// Why a credentials file is none.
#[derive(Debug, thiserror::Error)]
#[error("the credentials file {path} cannot be used: {why}")]
pub struct BadKeys {
    path: PathBuf,
    why: String,
}

impl Keys {
    /// Reads them from a JSON file, by the names that AWS's or Tencent's tools have for them; `wanted`
    /// tells a person which ones.
    pub(super) fn read(path: &Path, wanted: &str) -> Result<Keys, BadKeys> {
        let wrong = |why: String| BadKeys { path: path.to_owned(), why };
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text));
        read.map_err(|error| wrong(error.to_string()))?;
        // The parser's own words would show what is in it.
        let keys: Keys = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("line {}: it must be JSON with {wanted}", error.line())))?;
        Ok(Keys { token: keys.token.filter(|token| !token.is_empty()), ..keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_file_is_read_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("panorec-s3.json");
        let read = || Keys::read(&path, "accessKeyId and secretAccessKey");
        let token_of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let keys = read().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((keys.secret_id.as_str(), keys.secret_key.as_str()), ("id", "secret"));
            keys.token
        };
        assert_eq!(token_of(r#"{"accessKeyId":"id","secretAccessKey":"secret","sessionToken":""}"#), None);
        let token = token_of(r#"{"secretId":"id","secretKey":"secret","token":"t"}"#);
        assert_eq!(token.as_deref(), Some("t"));
        std::fs::write(&path, r#"{"accessKeyId":"AKIDSECRET","secretAccessKey":7}"#).unwrap();
        let said = read().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains("secretAccessKey") && !said.contains("AKIDSECRET"), "{said}");
        let none = Keys::read(&folder.path().join("none"), "keys").err().map(|error| error.to_string());
        assert!(none.is_some_and(|said| said.contains("none")));
    }
}
