//! The login state that a person gives for the page: what stands in `panorec-login.json`. Pure but
//! for reading the file.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

/// Far more than any login needs, in bytes.
const LARGEST: u64 = 1 << 20;

/// Cookies, headers and local storage for a page, in the form in which Playwright saves them
/// (`storageState`), with `headers` added:
/// `{"cookies": [{name, value, domain | url, path, expires, httpOnly, secure, sameSite}],
/// "headers": {name: value}, "origins": [{origin, localStorage: [{name, value}]}]}`.
///
/// Headers go to the page's own origin alone. It is a secret: nothing of it is ever printed.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    #[serde(default)]
    pub(super) cookies: Vec<Cookie>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) origins: Vec<Origin>,
}

/// One cookie. What other tools write beside these fields is of no interest.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cookie {
    pub name: String,
    pub value: String,
    /// Without one, and without a URL, the cookie is for the page's own address.
    pub domain: Option<String>,
    pub url: Option<String>,
    pub path: Option<String>,
    /// Unix seconds; absent or negative: until Chrome ends.
    pub expires: Option<f64>,
    pub http_only: Option<bool>,
    pub secure: Option<bool>,
    pub same_site: Option<SameSite>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum SameSite {
    #[serde(alias = "strict")]
    Strict,
    #[serde(alias = "lax")]
    Lax,
    #[serde(alias = "none", alias = "no_restriction")]
    None,
    /// What browsers make of a cookie that does not say.
    #[serde(alias = "unspecified")]
    Unspecified,
}

/// The local storage of one origin.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Origin {
    pub origin: Url,
    #[serde(default)]
    pub local_storage: Vec<Item>,
}

#[derive(Clone, PartialEq, Deserialize)]
pub(super) struct Item {
    pub name: String,
    pub value: String,
}

/// A login file cannot be used. The texts have nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("the login file {} cannot be read ({source}); give --login a readable one", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the login file {} is larger than a mebibyte; that is no login", path.display())]
    TooLarge { path: PathBuf },
    #[error(
        "the login file {} cannot be understood (line {line}, column {column}: {what}); it is JSON like \
         {{\"cookies\": [{{\"name\": …, \"value\": …, \"domain\": …}}], \"headers\": {{…}}, \"origins\": \
         [{{\"origin\": …, \"localStorage\": [{{\"name\": …, \"value\": …}}]}}]}}", path.display()
    )]
    Malformed { path: PathBuf, line: usize, column: usize, what: &'static str },
    #[error("the login file {} has a header {name:?} that HTTP does not allow", path.display())]
    Header { path: PathBuf, name: String },
}

impl Login {
    /// Reads a login file and checks it.
    pub fn read(path: &Path) -> Result<Login, LoginError> {
        let unreadable = |source| LoginError::Unreadable { path: path.to_owned(), source };
        let mut text = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(LARGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
        if text.len() as u64 > LARGEST {
            return Err(LoginError::TooLarge { path: path.to_owned() });
        }
        let login: Login = serde_json::from_slice(&text).map_err(|error| LoginError::Malformed {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
            // The error's own text may quote a secret.
            what: match error.classify() {
                serde_json::error::Category::Data => "a field is missing, unknown, or of another kind",
                _ => "no JSON",
            },
        })?;
        if let Some((name, _)) = login.headers.iter().find(|(name, value)| !is_header(name, value)) {
            let name = name.chars().take(80).collect();
            return Err(LoginError::Header { path: path.to_owned(), name });
        }
        Ok(login)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Login { cookies, headers, origins } = self;
        write!(f, "Login({} cookies, {} headers, {} origins)", cookies.len(), headers.len(), origins.len())
    }
}

/// A token and a line of text, by RFC 9110 (5.5 and 5.6.2).
fn is_header(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token) && !value.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Login, LoginError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Login::read(file.path())
    }

    #[test]
    fn what_playwright_saves_is_a_login() {
        let login = read(
            r#"{"cookies": [{"name": "sid", "value": "s3cret", "domain": ".school.example", "path": "/", "expires": -1,
                             "httpOnly": true, "secure": true, "sameSite": "Lax", "partitionKey": "x"}],
                "origins": [{"origin": "https://school.example",
                             "localStorage": [{"name": "token", "value": "s3cret"}]}]}"#,
        )
        .unwrap();
        assert_eq!(login.cookies[0].domain.as_deref(), Some(".school.example"));
        assert!(login.cookies[0].same_site == Some(SameSite::Lax));
        assert_eq!(login.origins[0].local_storage[0].name, "token");
        assert_eq!(format!("{login:?}"), "Login(1 cookies, 0 headers, 1 origins)");
        assert!(read("{}").unwrap() == Login::default());
    }

    #[test]
    fn what_is_no_login_is_refused_without_repeating_it() {
        for (text, words) in [
            ("s3cret", "no JSON"),
            (r#"{"cookies": [{"name": "s3cret"}]}"#, "a field is missing"),
            (r#"{"cookie": "s3cret"}"#, "a field is missing, unknown"),
            (r#"{"cookies": [], "origins": [{"origin": "s3cret"}]}"#, "of another kind"),
            (r#"{"headers": {"X: Y": "s3cret"}}"#, "HTTP does not allow"),
            (r#"{"headers": {"X-Y": "s3cret\r\nX-Z: 1"}}"#, "HTTP does not allow"),
        ] {
            let said = read(text).expect_err(text).to_string();
            assert!(said.contains(words), "{said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
        let said = read(&format!("{{\"headers\": {{\"x\": \"{}\"}}}}", "y".repeat(2 << 20))).unwrap_err();
        assert!(matches!(said, LoginError::TooLarge { .. }), "{said}");
        let said = Login::read(Path::new("/nowhere/login.json")).unwrap_err().to_string();
        assert!(said.contains("cannot be read") && said.contains("--login"), "{said}");
    }
}
