//! Who is told of the end, and how often it is tried.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// Where the result is posted. The defaults are the Action API's figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Callback {
    pub url: Url,
    /// Tries in all, over all runs of the publisher.
    #[serde(default = "Callback::attempts")]
    pub attempts: u32,
    /// A try may take so long, in milliseconds.
    #[serde(default = "Callback::timeout_ms")]
    pub timeout_ms: u32,
    /// Between two tries, in milliseconds.
    #[serde(default = "Callback::pause_ms")]
    pub pause_ms: u32,
    /// The file with the signing key and further headers, if there is one. An absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<PathBuf>,
    /// What whoever asked for the recording wants to be told with the result, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<Value>,
}

impl Callback {
    /// With the Action API's figures.
    pub fn to(url: Url) -> Callback {
        let (attempts, timeout_ms, pause_ms) = (Callback::attempts(), Callback::timeout_ms(), Callback::pause_ms());
        Callback { url, attempts, timeout_ms, pause_ms, secret: None, user_data: None }
    }

    fn attempts() -> u32 {
        5
    }

    fn timeout_ms() -> u32 {
        2_000
    }

    fn pause_ms() -> u32 {
        1_000
    }
}
