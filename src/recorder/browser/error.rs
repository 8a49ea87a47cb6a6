//! What can go wrong with Chrome and with a page.

use std::io;

use chromiumoxide::error::CdpError;

use crate::recorder::child::ChildError;

/// Chrome could not be started or controlled.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error("Chrome not found: install chromium")]
    Missing,
    #[error(
        "Chrome has no usable sandbox here: install chromium-sandbox, or allow unprivileged user namespaces (sysctl \
         kernel.unprivileged_userns_clone=1 or user.max_user_namespaces, an AppArmor profile with \
         userns, or in a container a seccomp profile that lets Chrome make them); to record \
         without a sandbox at your own risk use --allow-no-sandbox"
    )]
    NoSandbox,
    #[error("cannot prepare Chrome: {0}")]
    Io(#[from] io::Error),
    #[error("Chrome's control connection: {0}")]
    Control(#[from] CdpError),
    #[error("Chrome does not take the cookie {name:?} of {domain} from the login file")]
    Cookie { name: String, domain: String },
    #[error("Chrome did not {0} in time")]
    TimeOut(&'static str),
}

/// The page could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the server's name could not be found ({0}): check the address")]
    Name(String),
    #[error("the server's certificate is not valid ({0}): the page is not recorded over it")]
    Certificate(String),
    #[error("the server answered with HTTP status {0}")]
    Status(i64),
    #[error("the page could not be reached ({0})")]
    Network(String),
    #[error("the address is no page: it gives a download, or nothing")]
    NoPage,
    #[error(
        "the page wants a name and a password (HTTP status 401): give them by --login FILE as a header, such as \
         {{\"headers\": {{\"Authorization\": \"Basic …\"}}}}"
    )]
    NoLogin,
    #[error("the page was not there within {0} s; can its server be reached from here?")]
    TimeOut(u64),
    #[error(transparent)]
    Browser(#[from] BrowserError),
}

impl LoadError {
    /// From Chrome's own text, such as `net::ERR_NAME_NOT_RESOLVED`
    /// (net/base/net_error_list.h in Chromium).
    pub fn from_text(text: &str) -> Self {
        let text = text.to_owned();
        match text.strip_prefix("net::").unwrap_or(&text) {
            "ERR_NAME_NOT_RESOLVED" | "ERR_NAME_RESOLUTION_FAILED" | "ERR_ADDRESS_INVALID" => Self::Name(text),
            code if code.starts_with("ERR_CERT_") || code.starts_with("ERR_SSL_") => Self::Certificate(text),
            "ERR_ABORTED" => Self::NoPage,
            "ERR_INVALID_AUTH_CREDENTIALS" => Self::NoLogin,
            _ => Self::Network(text),
        }
    }

    /// Whether the same load may well succeed a moment later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 408 | 425 | 429 | 500 | 502..=504),
            Self::Network(_) | Self::Name(_) | Self::Browser(_) => true,
            Self::Certificate(_) | Self::NoPage | Self::NoLogin | Self::TimeOut(_) => false,
        }
    }
}

impl From<CdpError> for LoadError {
    fn from(error: CdpError) -> Self {
        Self::Browser(error.into())
    }
}
